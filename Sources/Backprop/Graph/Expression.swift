// Expressions: `(x+y)^2` as a graph, with an automatic derivative.
//
// A parsed expression is a flat list of terms, operands before operators, in other words
// already a tape without values. Nothing here recurses, neither reading nor recording nor
// freeing, so however deep the nesting, the stack holds; the length of the text is limited
// because every step is named by its part of it.
//
// Nested in `Graph` because Foundation has an `Expression` too.

extension Graph {
    /// A formula in named variables, such as `sigmoid(w*x+b)`.
    ///
    /// Operators, from loose to tight: `+ -`, `* /`, unary `-`, `^` (from the right; `-x^2` is −(x²)).
    /// Functions: identity, step, sigmoid, tanh, relu, leakyrelu, exp, log. An exponent that is a whole
    /// number is repeated multiplication; any other is exp(n · log x), which needs x > 0.
    ///
    ///     let expression = try Graph.Expression("(x+y)^2")
    ///     var graph = Graph()
    ///     let z = try expression.record(in: &graph, values: ["x": 3, "y": 4])
    ///     graph[z]                   // [49]
    ///     print(graph.trace(from: z))
    public struct Expression: Sendable, Hashable {
        /// The longest text taken, in characters.
        public static let maximumLength = 1000

        /// A function of one argument.
        enum Function: Hashable, Sendable {
            case activation(Activation), exp, log

            init?(_ name: String) {
                switch name.lowercased() {
                case "exp": self = .exp
                case "log": self = .log
                case let name:
                    guard let activation = Activation.allCases.first(where: { $0.rawValue.lowercased() == name })
                    else { return nil }
                    self = .activation(activation)
                }
            }

            static let names = Activation.allCases.map { $0.rawValue.lowercased() } + ["exp", "log"]
        }

        /// One step of the computation; operands are indices of earlier terms.
        enum Content: Hashable, Sendable {
            case number(Double)
            case variable(String)
            case function(Function, Int)
            case negate(Int)
            case add(Int, Int), subtract(Int, Int), multiply(Int, Int), divide(Int, Int), power(Int, Int)
        }

        /// A step with the text that it was read from.
        struct Term: Hashable, Sendable {
            var content: Content
            var text: String
            var position: Int  // of its first character, from 1
            var isConstant: Bool  // without variables

            /// The text as it stands beside an operator: in parentheses unless it is a name or a number.
            var asOperand: String {
                text.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." } ? text : "(\(text))"
            }
        }

        /// The text.
        public let source: String
        let terms: [Term]

        /// Reads an expression.
        ///
        /// - Throws: ``ExpressionError`` with the position, what was expected there and what stood there.
        public init(_ source: String) throws(ExpressionError) {
            self.source = source
            terms = try ExpressionParser.parse(source)
        }

        /// The variables, in order of their first appearance.
        public var variables: [String] {
            var seen: Set<String> = []
            return terms.compactMap { term in
                guard case .variable(let name) = term.content, seen.insert(name).inserted else { return nil }
                return name
            }
        }

        /// Records the expression and returns the node of its result. Each variable becomes a scalar
        /// parameter, or is an earlier parameter of that name, which keeps its value; every step is named by its text.
        ///
        /// - Throws: ``ExpressionError`` if a variable has no value; the graph is then unchanged.
        public func record(
            in graph: inout Graph, values: [String: Double]
        ) throws(ExpressionError) -> Graph.Node {
            var leaves: [String: Graph.Node] = [:]
            for node in graph.parameters where graph.count(of: node) == 1 { leaves[graph.name(of: node)] = node }
            for term in terms {
                guard case .variable(let name) = term.content, leaves[name] == nil, values[name] == nil else {
                    continue
                }
                throw ExpressionError(
                    .missingValue, position: term.position, expected: "a value for \(name), such as \(name)=1",
                    got: "none")
            }
            var nodes: [Graph.Node] = []  // of each term
            for term in terms {
                switch term.content {
                case .number(let x): nodes.append(graph.constant(x, term.text))
                case .variable(let name):
                    let node = leaves[name] ?? graph.leaf(values[name]!, name)
                    leaves[name] = node
                    nodes.append(node)
                case .function(.activation(let f), let x): nodes.append(graph.activation(f, nodes[x], term.text))
                case .function(.exp, let x): nodes.append(graph.exp(nodes[x], term.text))
                case .function(.log, let x): nodes.append(graph.log(nodes[x], term.text))
                case .negate(let x): nodes.append(graph.multiply(graph.constant(-1, "-1"), nodes[x], term.text))
                case .add(let a, let b): nodes.append(graph.add(nodes[a], nodes[b], term.text))
                case .subtract(let a, let b):
                    let minus = graph.multiply(graph.constant(-1, "-1"), nodes[b], "-" + terms[b].asOperand)
                    nodes.append(graph.add(nodes[a], minus, term.text))
                case .multiply(let a, let b): nodes.append(graph.multiply(nodes[a], nodes[b], term.text))
                case .divide(let a, let b):
                    let inverse = graph.reciprocal(nodes[b], "1/" + terms[b].asOperand)
                    nodes.append(graph.multiply(nodes[a], inverse, term.text))
                case .power(let base, let exponent):
                    let node = graph.power(
                        nodes[base], nodes[exponent], isConstant: terms[exponent].isConstant,
                        base: terms[base].asOperand, exponent: terms[exponent].asOperand, name: term.text)
                    nodes.append(node)
                }
            }
            return nodes[nodes.count - 1]
        }
    }

    /// base ^ exponent: by squaring and multiplying for a whole exponent, else exp(exponent · log base).
    fileprivate mutating func power(
        _ x: Node, _ exponent: Node, isConstant: Bool, base: String, exponent exponentText: String, name: String
    ) -> Node {
        let n = self[exponent, 0]
        guard isConstant, n == n.rounded(), abs(n) <= 0x1p53 else {
            let logarithm = log(x, base.hasPrefix("(") ? "log\(base)" : "log(\(base))")
            return exp(multiply(exponent, logarithm, "\(exponentText)*\(self.name(of: logarithm))"), name)
        }
        guard n != 0 else { return constant(1, name) }

        // xⁿ = the product of the x^(2ᵏ) for the bits k set in n. There are n paths from x all the same.
        var remaining = Int(abs(n))
        var (square, power) = (x, 1)
        var product: (node: Node, power: Int)?
        while true {
            let isLast = remaining == 1 && n > 0
            if remaining & 1 == 1 {
                if let part = product {
                    let sum = part.power + power
                    product = (multiply(part.node, square, isLast ? name : "\(base)^\(sum)"), sum)
                } else {
                    product = (square, power)
                }
            }
            remaining >>= 1
            guard remaining > 0 else { break }
            power *= 2
            square = multiply(square, square, remaining == 1 && product == nil && n > 0 ? name : "\(base)^\(power)")
        }
        return n > 0 ? product!.node : reciprocal(product!.node, name)
    }
}

/// Why a text is no expression, or cannot be computed: where, what was expected, and what was there.
///
///     column 5: expected a number, a variable, a function or '(', got the end
public struct ExpressionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of mistake it is.
    public enum Kind: Sendable, Hashable {
        case syntax, unknownFunction, missingValue, tooLong
    }

    public let kind: Kind
    /// The column, in characters from 1.
    public let position: Int
    public let expected: String
    public let got: String

    init(_ kind: Kind, position: Int, expected: String, got: String) {
        (self.kind, self.position, self.expected, self.got) = (kind, position, expected, got)
    }

    public var description: String { "column \(position): expected \(expected), got \(got)" }
}

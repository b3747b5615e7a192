// Expressions: what they compute, how they nest, what their steps are called, and what is
// said of a text that is none.

import Backprop
import Foundation
import Testing

@Suite struct ExpressionTests {
    static func value(_ source: String, _ values: [String: Double] = [:]) throws -> Double {
        var graph = Graph()
        let result = try Graph.Expression(source).record(in: &graph, values: values)
        return graph[result, 0]
    }

    func error(_ source: String) -> ExpressionError? {
        do {
            _ = try Graph.Expression(source)
            return nil
        } catch {
            return error
        }
    }

    static let arithmetic: [(String, Double)] = [
        ("1 + 2 * 3", 7), ("(1+2)*3", 9), ("8 - 3 - 2", 3), ("16 / 4 / 2", 2), ("2^3^2", 512), ("-2^2", -4),
        ("(-2)^2", 4), ("2^-1", 0.5), ("4 - -3", 7), ("- - 3", 3), ("+3", 3), ("2*-3", -6), ("3^0", 1), ("7^1", 7),
        ("2^10", 1024), ("(-3)^3", -27), ("2^(1+2)", 8), ("2^-2^2", 0.0625), (".5 + 1. + 1e2 + 2.5E-1", 101.75),
        ("4^0.5", 2), ("relu(-3)", 0), ("ReLU(3)", 3), ("leakyrelu(-3)", -0.03), ("step(0.1)", 1), ("identity(5)", 5),
        ("sigmoid(0)", 0.5), ("tanh(0)", 0), ("log(exp(2)) / 4", 0.5), ("((((1))))", 1), ("2^2*3", 12),
        ("1 - 2^2", -3), ("-1 - 1", -2), ("-3 * 2 + 1", -5), ("2 ^ - 1 * 4", 2),
    ]

    @Test(arguments: arithmetic)
    func arithmetic_bindsAsInMathematics(source: String, expected: Double) throws {
        // exp and log, and division as · 1/b, cost a rounding or two.
        #expect(abs(try Self.value(source) - expected) <= 1e-14 * max(1, abs(expected)))
    }

    static let smooth = [
        "(x+y)^2", "sigmoid(w*x+b)", "log(exp(x)) / 3 - -y", "x^7", "x^-3", "x^8 - y^6", "x^y", "x^2.5", "2^x",
        "tanh(x*y) / (1 + exp(-w))", "x/y/w", "x*x*x - y*x", "leakyrelu(x) - leakyrelu(-y)", "1 - x - y - w",
    ]

    @Test(arguments: smooth)
    func derivatives_agreeWithCentralDifferences(source: String) throws {
        var graph = Graph()
        let expression = try Graph.Expression(source)
        let output = try expression.record(in: &graph, values: ["x": 0.7, "y": 1.3, "w": -0.6, "b": 0.2])
        let check = GradientCheck(graph, output: output)
        #expect(check.entries.map(\.name).sorted() == expression.variables.sorted())
        // x^7 and its like have large third derivatives, hence not 1e-9.
        #expect(check.worst!.relativeError < 1e-8, "\(check.worst!)")
    }

    @Test func steps_areNamedByTheirText() throws {
        var graph = Graph()
        let z = try Graph.Expression(" ( x+y )^2 ").record(in: &graph, values: ["x": 3, "y": 4])
        #expect(graph.name(of: z) == "( x+y )^2")
        #expect(graph.nodes.map { graph.name(of: $0) } == ["x", "y", "x+y", "2", "( x+y )^2"])
        #expect(graph[z] == [49])

        var other = Graph()
        _ = try Graph.Expression("log(x) / 3 - -y").record(in: &other, values: ["x": 3, "y": 4])
        #expect(
            other.nodes.map { other.name(of: $0) } == [
                "x", "log(x)", "3", "1/3", "log(x) / 3", "y", "-1", "-y", "-1", "-(-y)", "log(x) / 3 - -y",
            ])
    }

    @Test func wholePowers_areRepeatedMultiplications_withOnePathForEachFactor() throws {
        var graph = Graph()
        let z = try Graph.Expression("x^6").record(in: &graph, values: ["x": -2])
        #expect(graph[z] == [64])
        let x = graph.parameters[0]
        let paths = graph.paths(from: x, to: z)
        #expect(paths.count == 6)
        #expect(paths.largest.map(\.product) == [Double](repeating: -32, count: 6))
        #expect(graph.nodes.map { graph.name(of: $0) } == ["x", "6", "x^2", "x^4", "x^6"])
    }

    @Test func otherPowers_goByTheLogarithm() throws {
        var graph = Graph()
        let z = try Graph.Expression("(x+1)^y").record(in: &graph, values: ["x": 1, "y": 0.5])
        #expect(abs(graph[z, 0] - 2.0.squareRoot()) < 1e-15)
        #expect(graph.nodes.suffix(3).map { graph.name(of: $0) } == ["log(x+1)", "y*log(x+1)", "(x+1)^y"])
    }

    @Test func variables_areSharedAndInOrder() throws {
        let expression = try Graph.Expression("b*a + b/c")
        #expect(expression.variables == ["b", "a", "c"])
        var graph = Graph()
        let z = try expression.record(in: &graph, values: ["a": 2, "b": 3, "c": 4, "unused": 1])
        #expect(graph.parameters.count == 3)
        let second = try Graph.Expression("a*a").record(in: &graph, values: [:])  // the same a
        #expect(graph.parameters.count == 3)
        #expect(graph[z] == [6.75] && graph[second] == [4])
    }

    @Test func missingValue_isNamed_andTheGraphUnchanged() throws {
        var graph = Graph()
        do {
            _ = try Graph.Expression("x + rate*y").record(in: &graph, values: ["x": 1, "y": 2])
            Issue.record("nothing was thrown")
        } catch {
            #expect(error.kind == .missingValue)
            #expect(error.position == 5)
            #expect(error.description == "column 5: expected a value for rate, such as rate=1, got none")
        }
        #expect(graph.nodes.isEmpty)
    }

    static let mistakes: [(String, ExpressionError.Kind, Int, String, String)] = [
        ("", .syntax, 1, "a number, a variable, a function or '('", "the end"),
        ("1 + ", .syntax, 5, "a number, a variable, a function or '('", "the end"),
        ("1 + * 2", .syntax, 5, "a number, a variable, a function or '('", "'*'"),
        ("(x", .syntax, 3, "an operator or ')'", "the end"),
        ("(x y)", .syntax, 4, "an operator or ')'", "'y'"),
        ("x)", .syntax, 2, "an operator or the end", "')'"),
        ("2x", .syntax, 2, "an operator or the end", "'x'"),
        ("sigmoid x", .syntax, 9, "'(' after the function sigmoid", "'x'"),
        ("1e999", .syntax, 1, "a finite number", "'1e999'"),
        (".", .syntax, 1, "a finite number", "'.'"),
        ("x + 1.e", .syntax, 7, "an operator or the end", "'e'"),
        ("x % y", .syntax, 3, "an operator or the end", "'%'"),
        (
            "1+sin(x)", .unknownFunction, 3,
            "an operator after sin, or one of identity, step, sigmoid, tanh, relu, leakyrelu, exp, log", "sin("
        ),
        ("()", .syntax, 2, "a number, a variable, a function or '('", "')'"),
    ]

    @Test(arguments: mistakes.indices)
    func mistake_tellsWhereAndWhatWasExpected(index: Int) {
        let (source, kind, position, expected, got) = Self.mistakes[index]
        let error = error(source)
        #expect(error?.kind == kind)
        #expect(error?.position == position)
        #expect(error?.expected == expected)
        #expect(error?.got == got)
    }

    @Test func deepNesting_needsNoStack() async throws {
        // Of a recursive parser's frames, a thread of 64 KiB would hold some dozens.
        func nested(_ depth: Int, _ open: String, _ close: String = "") -> String {
            String(repeating: open, count: depth) + "x" + String(repeating: close, count: depth)
        }
        let sources = [nested(499, "(", ")"), nested(999, "-"), nested(499, "1^"), nested(166, "exp(", ")")]
        let results = await withCheckedContinuation { continuation in
            let thread = Thread { continuation.resume(returning: sources.map { try? Self.value($0, ["x": 1]) }) }
            thread.stackSize = 64 * 1024
            thread.start()
        }
        #expect(results == [1, -1, 1, .infinity])
    }

    @Test func longText_isAnErrorWithItsLength() throws {
        #expect(try Self.value("x" + String(repeating: "+x", count: 499), ["x": 1]) == 500)
        let error = error("x" + String(repeating: "+x", count: 500))
        #expect(error?.description == "column 1001: expected at most 1000 characters, got 1001")
        #expect(error?.kind == .tooLong)
    }

    @Test(arguments: 0..<200)
    func anyText_parsesOrThrows(seed: UInt64) {
        // Pieces of the grammar in random order: mostly wrong, never a crash.
        let pieces = [
            "x", "y1", "2", "0.5", "1e3", "+", "-", "*", "/", "^", "(", ")", "exp", "log(", "relu(", " ", "é", ".",
        ]
        var random = GraphTests.Random(seed: seed)
        for _ in 0..<50 {
            let source = (0..<random.below(14)).map { _ in pieces[random.below(pieces.count)] }.joined()
            if let expression = try? Graph.Expression(source) {
                var graph = Graph()
                let values = Dictionary(uniqueKeysWithValues: expression.variables.map { ($0, 0.5) })
                #expect(throws: Never.self) { try expression.record(in: &graph, values: values) }
            } else {
                #expect((1...(source.count + 1)).contains(error(source)!.position), "\(source)")
            }
        }
    }
}

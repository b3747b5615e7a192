// The parser of expressions: Dijkstra's shunting yard (1961) over characters.
//
// Operators wait on a stack of our own until one that binds less tightly follows, so the
// parser does not recurse and no nesting can exhaust the thread's stack. What comes out is
// in order of computation, operands first.

struct ExpressionParser {
    private typealias Content = Graph.Expression.Content

    /// A parsed operand: its term, and where its text begins, parentheses included.
    private struct Part {
        var term: Int
        var start: Int
    }

    /// What waits for its (last) operand, or for its closing parenthesis.
    private enum Waiting {
        case binary(Character)
        case sign(Character, start: Int)
        case parenthesis(Graph.Expression.Function?, start: Int)

        /// How tightly it binds; a parenthesis holds until it is closed.
        var binding: Int {
            switch self {
            case .binary(let symbol): ExpressionParser.binding(of: symbol)!
            case .sign: 3
            case .parenthesis: 0
            }
        }
    }

    private let characters: [Character]
    private var next = 0  // index of the next character
    private var terms: [Graph.Expression.Term] = []
    private var parts: [Part] = []
    private var waiting: [Waiting] = []

    static func parse(_ source: String) throws(ExpressionError) -> [Graph.Expression.Term] {
        var parser = ExpressionParser(characters: Array(source))
        let limit = Graph.Expression.maximumLength
        guard parser.characters.count <= limit else {
            throw ExpressionError(
                .tooLong, position: limit + 1, expected: "at most \(limit) characters",
                got: "\(parser.characters.count)")
        }
        try parser.parse()
        return parser.terms
    }

    private init(characters: [Character]) { self.characters = characters }

    // MARK: - Grammar

    /// operand (operator operand)*, where an operand may open parentheses and an operator close them.
    private mutating func parse() throws(ExpressionError) {
        try operand()
        while let symbol = peek {
            if let binding = Self.binding(of: symbol) {
                // From the left, except ^: x − y − z is (x − y) − z, x^y^z is x^(y^z).
                settle(binding: symbol == "^" ? binding + 1 : binding)
                next += 1
                waiting.append(.binary(symbol))
                try operand()
            } else if symbol == ")" {
                try closeParenthesis()
            } else {
                break
            }
        }
        settle(binding: 1)
        guard peek == nil, waiting.isEmpty else {
            throw unexpected(waiting.isEmpty ? "an operator or the end" : "an operator or ')'")
        }
    }

    private static func binding(of symbol: Character) -> Int? {
        switch symbol {
        case "+", "-": 1
        case "*", "/": 2
        case "^": 4
        default: nil
        }
    }

    /// A number or a variable, with the signs, functions and parentheses that open before it.
    private mutating func operand() throws(ExpressionError) {
        while let character = peek {
            let start = next
            switch character {
            case "-", "+":
                next += 1
                waiting.append(.sign(character, start: start))
            case "(":
                next += 1
                waiting.append(.parenthesis(nil, start: start))
            case "0"..."9", ".":
                parts.append(append(.number(try number()), from: start, isConstant: true))
                return
            case _ where character.isLetter || character == "_":
                let name = take { $0.isLetter || $0 == "_" || Self.isDigit($0) }
                guard let function = try functionOpening(name, start) else {
                    parts.append(append(.variable(name), from: start, isConstant: false))
                    return
                }
                waiting.append(.parenthesis(function, start: start))
            default: throw unexpected("a number, a variable, a function or '('")
            }
        }
        throw unexpected("a number, a variable, a function or '('")
    }

    /// The function of that name, with its opening parenthesis taken; nil if it is a variable.
    private mutating func functionOpening(
        _ name: String, _ start: Int
    ) throws(ExpressionError) -> Graph.Expression.Function? {
        let function = Graph.Expression.Function(name)
        switch (function, peek == "(") {
        case (nil, false): return nil
        case (.some, false): throw unexpected("'(' after the function \(name)")
        case (nil, true):
            let names = Graph.Expression.Function.names.joined(separator: ", ")
            throw ExpressionError(
                .unknownFunction, position: start + 1, expected: "an operator after \(name), or one of \(names)",
                got: "\(name)(")
        case (.some, true):
            next += 1
            return function
        }
    }

    private mutating func closeParenthesis() throws(ExpressionError) {
        settle(binding: 1)
        guard case .parenthesis(let function, let start) = waiting.popLast() else {
            throw unexpected("an operator or the end")
        }
        next += 1
        let inner = parts.removeLast().term
        guard let function else { return parts.append(Part(term: inner, start: start)) }
        parts.append(append(.function(function, inner), from: start, isConstant: terms[inner].isConstant))
    }

    /// Gives their operands to the waiting operators that bind at least as tightly.
    private mutating func settle(binding minimum: Int) {
        while let top = waiting.last, top.binding >= minimum {
            waiting.removeLast()
            let right = parts.removeLast()
            switch top {
            case .parenthesis: preconditionFailure("a parenthesis binds 0, below every minimum")
            case .sign("-", let start):
                parts.append(append(.negate(right.term), from: start, isConstant: terms[right.term].isConstant))
            case .sign(_, let start): parts.append(Part(term: right.term, start: start))
            case .binary(let symbol):
                let left = parts.removeLast()
                let isConstant = terms[left.term].isConstant && terms[right.term].isConstant
                let content: Content =
                    switch symbol {
                    case "+": .add(left.term, right.term)
                    case "-": .subtract(left.term, right.term)
                    case "*": .multiply(left.term, right.term)
                    case "/": .divide(left.term, right.term)
                    default: .power(left.term, right.term)
                    }
                parts.append(append(content, from: left.start, isConstant: isConstant))
            }
        }
    }

    // MARK: - Characters

    /// digits [. digits] [e [sign] digits], with a digit before the e.
    private mutating func number() throws(ExpressionError) -> Double {
        let start = next
        var digits = take(while: Self.isDigit).count
        if at(next) == "." {
            next += 1
            digits += take(while: Self.isDigit).count
        }
        let sign = at(next + 1) == "-" || at(next + 1) == "+" ? 1 : 0
        if at(next) == "e" || at(next) == "E", let digit = at(next + 1 + sign), Self.isDigit(digit) {
            next += 1 + sign
            _ = take(while: Self.isDigit)
        }
        let text = String(characters[start..<next])
        guard digits > 0, let value = Double(text), value.isFinite else {
            throw ExpressionError(.syntax, position: start + 1, expected: "a finite number", got: "'\(text)'")
        }
        return value
    }

    private static func isDigit(_ character: Character) -> Bool { ("0"..."9").contains(character) }

    private func at(_ index: Int) -> Character? { index < characters.count ? characters[index] : nil }

    /// The next character that is not blank, which `next` then points at.
    private var peek: Character? {
        mutating get {
            while let character = at(next), character.isWhitespace { next += 1 }
            return at(next)
        }
    }

    private mutating func take(while isPart: (Character) -> Bool) -> String {
        let start = next
        while let character = at(next), isPart(character) { next += 1 }
        return String(characters[start..<next])
    }

    /// Adds a term whose text ends here, without the blanks that `peek` skipped.
    private mutating func append(_ content: Content, from start: Int, isConstant: Bool) -> Part {
        var end = next
        while end > start, characters[end - 1].isWhitespace { end -= 1 }
        terms.append(
            Graph.Expression.Term(
                content: content, text: String(characters[start..<end]), position: start + 1, isConstant: isConstant))
        return Part(term: terms.count - 1, start: start)
    }

    private mutating func unexpected(_ expected: String) -> ExpressionError {
        let got = peek.map { "'\($0)'" } ?? "the end"
        return ExpressionError(.syntax, position: next + 1, expected: expected, got: got)
    }
}

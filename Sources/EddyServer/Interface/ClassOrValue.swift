// Labels and predictions in JSON: a class by its name, a value as a number; of several outputs an array, or an object where
// they have names.

import Eddy

/// A label or a prediction in JSON: a class's name, or a number.
enum ClassOrValue: Encodable, Sendable {
    case `class`(String)
    case value(Float)

    /// Nil for no label.
    init?(_ label: Label) {
        switch label {
        case .none: return nil
        case .text(let name): self = .class(name)
        case .number(let value): self = .value(value)
        }
    }

    static func parts(of prediction: Prediction) -> (ClassOrValue, probability: Float?) {
        switch prediction {
        case .value(let value): (.value(value), nil)
        case .class(let name, let probability): (.class(name), probability)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .class(let name): try container.encode(name)
        case .value(let value): try container.encode(value)
        }
    }
}

/// Something for each output: itself for one; for several an array, or an object where outputs have names.
struct ByOutput<Value: Encodable & Sendable>: Encodable, Sendable {
    private let values: [Value?]
    private let names: [String]

    /// - Parameter names: empty for one output.
    init(_ values: [Value?], names: [String]) {
        self.values = values
        self.names = names
    }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    func encode(to encoder: any Encoder) throws {
        if names.isEmpty {
            var container = encoder.singleValueContainer()
            try container.encode(values[0])
        } else if names == Schema.outputNames(names.count) {
            var container = encoder.singleValueContainer()
            try container.encode(values)
        } else {
            var container = encoder.container(keyedBy: Key.self)
            for (name, value) in zip(names, values) { try container.encode(value, forKey: Key(stringValue: name)) }
        }
    }
}

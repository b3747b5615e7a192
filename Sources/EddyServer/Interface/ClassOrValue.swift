// Labels and predictions in JSON: a class by its name, a value as a number.

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

// An explanation as JSON: fields that have no value are null, not absent, and so are numbers that are not finite.

import Backprop

extension Explanation: Encodable {
    private enum CodingKeys: CodingKey {
        case step, sample, inputs, outputs, prediction, probability, loss, lossName, bits, truncated, layers, input
        case paths
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(step, forKey: .step)
        try container.encode(sample, forKey: .sample)
        try container.encode(inputs, forKey: .inputs)
        try container.encode(outputs, forKey: .outputs)
        switch prediction {
        case .value(let value):
            try container.encodeNumber(Double(value), forKey: .prediction)
            try container.encodeNil(forKey: .probability)
        case .class(let name, let probability):
            try container.encode(name, forKey: .prediction)
            try container.encodeNumber(Double(probability), forKey: .probability)
        }
        try container.encodeNumber(loss, forKey: .loss)
        try container.encode(lossName, forKey: .lossName)
        try container.encodeNumber(bits, forKey: .bits)
        try container.encode(truncated, forKey: .truncated)
        try container.encode(layers, forKey: .layers)
        try container.encode(input, forKey: .input)
        try container.encode(paths, forKey: .paths)
    }
}

extension Explanation.Sample: Encodable {
    private enum CodingKeys: CodingKey { case step, features, scaled, label }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(step, forKey: .step)
        try container.encode(features, forKey: .features)
        try container.encode(scaled, forKey: .scaled)
        switch label {
        case .none: try container.encodeNil(forKey: .label)
        case .number(let value): try container.encodeNumber(Double(value), forKey: .label)
        case .text(let name): try container.encode(name, forKey: .label)
        }
    }
}

extension Explanation.Layer: Encodable {
    private enum CodingKeys: CodingKey {
        case activation, shape, z, h, derivative, upstream, gradient, errorShare, gradientNorm, weights, bias
        case weightGradient, biasGradient
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(activation, forKey: .activation)
        try container.encode(shape, forKey: .shape)
        try container.encodeNumbers(z, forKey: .z)
        try container.encodeNumbers(h, forKey: .h)
        try container.encodeNumbers(derivative, forKey: .derivative)
        try container.encodeNumbers(upstream, forKey: .upstream)
        try container.encodeNumbers(gradient, forKey: .gradient)
        try container.encodeNumbers(errorShare, forKey: .errorShare)
        try container.encodeNumber(gradientNorm, forKey: .gradientNorm)
        try container.encodeNumbers(weights, forKey: .weights)
        try container.encodeNumbers(bias, forKey: .bias)
        try container.encodeNumbers(weightGradient, forKey: .weightGradient)
        try container.encodeNumbers(biasGradient, forKey: .biasGradient)
    }
}

extension Explanation.Input: Encodable {
    private enum CodingKeys: CodingKey { case gradient, errorShare }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeNumbers(gradient, forKey: .gradient)
        try container.encodeNumbers(errorShare, forKey: .errorShare)
    }
}

extension Explanation.ElementPaths: Encodable {
    private enum CodingKeys: CodingKey { case source, output, value, gradient, count, largest, rest }
    private enum PathKeys: CodingKey { case elements, derivatives, product, share }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(paths.source, forKey: .source)
        try container.encode(paths.output, forKey: .output)
        try container.encodeNumber(value, forKey: .value)
        try container.encodeNumber(paths.gradient, forKey: .gradient)
        try container.encode(paths.count, forKey: .count)
        var list = container.nestedUnkeyedContainer(forKey: .largest)
        for path in paths.largest {
            var item = list.nestedContainer(keyedBy: PathKeys.self)
            try item.encode(path.elements, forKey: .elements)
            try item.encodeNumbers(path.derivatives, forKey: .derivatives)
            try item.encodeNumber(path.product, forKey: .product)
            try item.encodeNumber(path.share, forKey: .share)
        }
        try container.encodeNumber(paths.rest, forKey: .rest)
    }
}

extension KeyedEncodingContainer {
    /// A number, or null where it is none or not finite: JSON has no other way to say so.
    mutating func encodeNumber(_ number: Double?, forKey key: Key) throws {
        if let number, number.isFinite { try encode(number, forKey: key) } else { try encodeNil(forKey: key) }
    }

    /// An array of numbers, null where it is none.
    mutating func encodeNumbers(_ numbers: [Double]?, forKey key: Key) throws {
        guard let numbers else { return try encodeNil(forKey: key) }
        guard !numbers.allSatisfy(\.isFinite) else { return try encode(numbers, forKey: key) }
        try encode(numbers.map { $0.isFinite ? $0 : nil }, forKey: key)
    }
}

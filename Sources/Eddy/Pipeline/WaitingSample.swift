// A sample without labels, alone: what waits by its id, also in the model file.

import Foundation

/// The features of one sample.
struct WaitingSample: Sendable, Codable {
    private var features: [Float]
    private var weight: Float
    private var keys: [UInt64]
    private var values: [Float]
    /// Of the keys, as far as they are known.
    private var names: [UInt64: String]

    /// - Parameter names: of terms, of which the sample's own are kept.
    init(_ row: SampleChunk, _ names: [UInt64: String]) {
        precondition(row.count == 1, "\(row.count) samples, not one")
        features = row.features
        weight = row.weights.first ?? 1
        (keys, values) = (row.terms.keys, row.terms.values)
        self.names = [:]
        for key in keys { self.names[key] = names[key] }
    }

    /// The sample as a chunk of its own.
    var row: SampleChunk {
        var row = SampleChunk(inputs: features.count)
        row.features = features
        (row.terms.keys, row.terms.values, row.terms.names) = (keys, values, names)
        row.finish(label: .none, weight: weight)
        return row
    }

    /// What it takes.
    var bytes: Int { 4 * features.count + 12 * keys.count + names.values.reduce(0) { $0 + 32 + $1.utf8.count } }

    // MARK: In the model file

    private enum CodingKeys: CodingKey { case features, weight, keys, values, names }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(features.map(\.bitPattern), forKey: .features)  // NaN is a feature that is missing
        if weight != 1 { try container.encode(weight, forKey: .weight) }
        guard !keys.isEmpty else { return }
        try container.encode(keys, forKey: .keys)
        try container.encode(values, forKey: .values)
        try container.encode(keys.map { names[$0] }, forKey: .names)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        features = try container.decode([UInt32].self, forKey: .features).map { Float(bitPattern: $0) }
        weight = try container.decodeIfPresent(Float.self, forKey: .weight) ?? 1
        keys = try container.decodeIfPresent([UInt64].self, forKey: .keys) ?? []
        values = try container.decodeIfPresent([Float].self, forKey: .values) ?? []
        let names = try container.decodeIfPresent([String?].self, forKey: .names) ?? []
        guard values.count == keys.count, names.count == keys.count, weight >= 0, weight.isFinite,
            features.allSatisfy({ $0.isFinite || $0.isNaN }), values.allSatisfy({ $0.isFinite && $0 != 0 })
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .features, in: container, debugDescription: "features that cannot be")
        }
        self.names = [:]
        for (key, name) in zip(keys, names) { self.names[key] = name }
    }
}

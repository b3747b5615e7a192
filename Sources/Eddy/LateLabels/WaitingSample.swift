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
        try container.encode(features.map(\.bitPattern).bytes, forKey: .features)  // NaN is a feature that is missing
        if weight != 1 { try container.encode(weight, forKey: .weight) }
        guard !keys.isEmpty else { return }
        try container.encode(keys.bytes, forKey: .keys)
        try container.encode(values.map(\.bitPattern).bytes, forKey: .values)
        try container.encode(keys.map { names[$0] }, forKey: .names)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let bytes: (CodingKeys) throws -> Data = { try container.decodeIfPresent(Data.self, forKey: $0) ?? Data() }
        features = [UInt32](bytes: try bytes(.features)).map { Float(bitPattern: $0) }
        weight = try container.decodeIfPresent(Float.self, forKey: .weight) ?? 1
        keys = [UInt64](bytes: try bytes(.keys))
        values = [UInt32](bytes: try bytes(.values)).map { Float(bitPattern: $0) }
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

extension Array where Element: FixedWidthInteger {
    /// Little-endian, one behind the other.
    fileprivate var bytes: Data { map(\.littleEndian).withUnsafeBytes { Data($0) } }

    /// What stands in whole numbers of bytes.
    fileprivate init(bytes: Data) {
        self = [UInt8](bytes).withUnsafeBytes { memory in
            (0..<memory.count / MemoryLayout<Element>.size).map { index in
                Element(
                    littleEndian: memory.loadUnaligned(
                        fromByteOffset: index * MemoryLayout<Element>.size, as: Element.self))
            }
        }
    }
}

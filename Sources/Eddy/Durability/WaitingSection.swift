// Samples that wait for their labels, behind a model: what decides which labels find their sample decides what is learned.
//
//     …                     a model file without its checksum (ModelFile.swift, MultiOutputFile.swift)
//     samples               JSON
//     length of the samples u64
//     "EDDYLATE"            8 bytes
//     checksum              u64: FNV-1a of all bytes before it
//
// It stands at the end, so that the file of a stream without late labels is what it was, and whoever wants only the model
// need not know of it.

import Foundation

extension ModelFile {
    private static let lateMark = Array("EDDYLATE".utf8)

    /// A model with the samples that wait, if there ever were any.
    static func encode(_ learners: MultiOutputLearner, schema: Schema?, waiting late: LateSamples) throws -> [UInt8] {
        var bytes = try encode(learners, schema: schema)
        guard late.isUsed else { return bytes }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = try encoder.encode(late)
        bytes.removeLast(8)
        bytes += json
        append(UInt64(json.count), to: &bytes)
        bytes += lateMark
        append(checksum(bytes[...]), to: &bytes)
        return bytes
    }

    /// The model's file, and the samples that wait.
    static func withoutWaiting(_ bytes: [UInt8]) throws -> (model: [UInt8], late: LateSamples?) {
        guard bytes.count >= 56, bytes.dropLast(8).suffix(8).elementsEqual(lateMark) else { return (bytes, nil) }
        _ = try checkedBody(bytes)
        var reader = Reader(bytes: bytes[(bytes.count - 24)...])
        let length: UInt64 = try reader.integer()
        guard length <= UInt64(bytes.count - 56) else { throw ModelFileError(description: "it is cut short") }
        let end = bytes.count - 24
        let begin = end - Int(length)
        do {
            let late = try JSONDecoder().decode(LateSamples.self, from: Data(bytes[begin..<end]))
            var model = Array(bytes[..<begin])
            append(checksum(model[...]), to: &model)
            return (model, late)
        } catch {
            throw ModelFileError(description: "its waiting samples do not make sense: \(error)")
        }
    }
}

extension MultiOutputLearner {
    /// The same as ``load(_:)``, with the samples that wait for their labels.
    package static func loadAll(
        _ path: String
    ) throws -> (learner: MultiOutputLearner, schema: Schema?, late: LateSamples) {
        try ModelFile.read(path) { bytes in
            let (model, late) = try ModelFile.withoutWaiting(bytes)
            let (learner, schema) = try ModelFile.decodeAll(model)
            return (learner, schema, late ?? LateSamples())
        }
    }

    /// The same as ``save(schema:to:)``, with the samples that wait for their labels.
    package func save(schema: Schema?, waiting late: LateSamples, to path: String) throws {
        try ModelFile.write(try ModelFile.encode(self, schema: schema, waiting: late), to: path)
    }
}

// The model file of several outputs: the files of their learners, one behind the other.
//
//     "EDDYMODL"            8 bytes, as of one output
//     version               u32: 0x10002, which no model of one output has
//     length of the header  u32
//     header                JSON: the outputs' names, the schema, the mean losses
//     models                u64 number, then each as u64 length and a whole model file, as ModelFile.swift has it
//     checksum              u64: FNV-1a of all bytes before it
//
// One output is written as it always was.

import Foundation

extension ModelFile {
    static let jointVersion: UInt32 = 0x10002

    private struct JointHeader: Codable {
        var names: [String]
        var schema: Schema?
        var joint: Metrics
    }

    static func encode(_ learners: MultiOutputLearner, schema: Schema?) throws -> [UInt8] {
        if learners.isAlone { return try encode(learners.first, schema: schema) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = try encoder.encode(JointHeader(names: learners.names, schema: schema, joint: learners.joint))
        var bytes = magic
        append(jointVersion, to: &bytes)
        append(UInt32(json.count), to: &bytes)
        bytes.append(contentsOf: json)
        append(UInt64(learners.outputs.count), to: &bytes)
        for learner in learners.outputs {
            let model = try encode(learner, schema: nil)
            append(UInt64(model.count), to: &bytes)
            bytes.append(contentsOf: model)
        }
        append(checksum(bytes[...]), to: &bytes)
        return bytes
    }

    static func decodeAll(_ bytes: [UInt8]) throws -> (MultiOutputLearner, Schema?) {
        guard isJoint(bytes) else {
            let (learner, schema) = try decode(bytes)
            let learners = MultiOutputLearner([learner], names: schema?.labels ?? ["label"], joint: nil)
            learners.expectedSchema = schema
            return (learners, schema)
        }
        let body = try checkedBody(bytes)
        var reader = Reader(bytes: body)
        let length: UInt32 = try reader.integer()
        let header: JointHeader
        do {
            header = try JSONDecoder().decode(JointHeader.self, from: Data(try reader.take(Int(length))))
        } catch let error as ModelFileError {
            throw error
        } catch {
            throw ModelFileError(description: "its header does not make sense: \(error)")
        }
        let count: UInt64 = try reader.integer()
        guard (2...UInt64(SampleChunk.outputLimit)).contains(count), header.names.count == Int(count),
            header.joint.isSound, header.joint.learned < 1 << 62,
            header.schema.map({ $0.labels.count == Int(count) }) ?? true
        else { throw ModelFileError(description: "its header does not make sense: \(count) outputs") }
        var outputs: [Learner] = []
        for _ in 0..<count {
            let length: UInt64 = try reader.integer()
            guard length <= UInt64(reader.bytes.count) else { throw ModelFileError(description: "it is cut short") }
            outputs.append(try decode(Array(try reader.take(Int(length)))).0)
        }
        guard reader.bytes.isEmpty else { throw ModelFileError(description: "there is more behind its models") }
        for (index, learner) in outputs.enumerated() {
            guard learner.configuration == outputs[0].configuration.ofOutput(index),
                learner.columns == nil || outputs[0].columns == nil || learner.columns == outputs[0].columns
            else { throw ModelFileError(description: "its outputs do not belong together") }
        }
        let learner = MultiOutputLearner(outputs, names: header.names, joint: header.joint)
        learner.expectedSchema = header.schema
        return (learner, header.schema)
    }

    /// Whether a file claims to be one of several outputs.
    static func isJoint(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 12, bytes.starts(with: magic) else { return false }
        return bytes[8..<12].reversed().reduce(0) { ($0 << 8) | UInt32($1) } == jointVersion
    }
}

extension MultiOutputLearner {
    /// Learners that go on where saved ones stopped, to the bit, and their schema. A file of one output is as good.
    ///
    /// - Throws: ``ModelFileError`` with the reason.
    public static func load(_ path: String) throws -> (learner: MultiOutputLearner, schema: Schema?) {
        try ModelFile.read(path) { try ModelFile.decodeAll(try ModelFile.withoutWaiting($0).model) }
    }

    /// Writes everything that affects the future to a file, whole or not at all.
    ///
    /// - Throws: ``ModelFileError`` with the reason; a file that was there before is then unchanged.
    public func save(schema: Schema?, to path: String) throws {
        try ModelFile.write(try ModelFile.encode(self, schema: schema), to: path)
    }
}

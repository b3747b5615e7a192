// The model file: everything that affects the future, so that learning on gives the same bits as
// never having stopped.
//
//     "EDDYMODL"            8 bytes
//     version               u32, little-endian as all here
//     length of the header  u32
//     header                JSON: configuration, schema, encoder, head, scaling, metrics
//     blocks                u64 number, then each as u64 count and float32: for each network its parameters (of each layer
//                           W (outputs, inputs) row-major, then b) and each block of its optimizer's state in the same
//                           order; then, of a committee, what its memories hold
//     checksum              u64: FNV-1a of all bytes before it
//
// Written beside its name, flushed to the disk, then renamed: a crash leaves the old file or the new
// one, never half of one.

import Backprop
import Foundation

/// A model file that was not taken, and why.
public struct ModelFileError: Error, Hashable, CustomStringConvertible {
    public let description: String
}

enum ModelFile {
    static let magic = Array("EDDYMODL".utf8)
    static let version: UInt32 = 3

    /// What is in the header.
    private struct Header: Codable {
        var arithmetic: Int
        var configuration: Configuration
        var schema: Schema?
        var head: HeadRecord?
        var encoder: FeatureEncoder?
        var scaler: FeatureScaler?
        var metrics: Metrics
        var drift: DriftWatch
    }

    private struct HeadRecord: Codable {
        var task: LearningTask
        var classes: ClassTable
        var targets: RunningMoments
        var committee: CommitteeRecord
    }

    // MARK: Saving

    static func encode(_ learner: Learner, schema: Schema?) throws -> [UInt8] {
        let record = learner.head.map { head in
            HeadRecord(
                task: head.task, classes: head.classes, targets: head.targets, committee: head.committee.record)
        }
        let header = Header(
            arithmetic: Network.arithmeticVersion, configuration: learner.configuration, schema: schema, head: record,
            encoder: learner.encoder, scaler: learner.scaler, metrics: learner.metrics, drift: learner.drift)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        let json = try encoder.encode(header)

        var bytes = magic
        append(version, to: &bytes)
        append(UInt32(json.count), to: &bytes)
        bytes.append(contentsOf: json)
        let blocks = record?.committee.blocks ?? []
        append(UInt64(blocks.count), to: &bytes)
        for block in blocks { append(block, to: &bytes) }
        append(checksum(bytes[...]), to: &bytes)
        return bytes
    }

    static func save(_ learner: Learner, schema: Schema?, to path: String) throws {
        try write(try encode(learner, schema: schema), to: path)
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        let temporary = path + ".\(ProcessInfo.processInfo.processIdentifier).tmp"
        func fail(_ what: String) -> ModelFileError {
            let reason = String(cString: strerror(errno))
            unlink(temporary)
            return ModelFileError(description: "cannot save the model to \(path): \(what): \(reason)")
        }
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw fail("open") }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { rest in
                Foundation.write(file, rest.baseAddress! + written, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = fail("write")
                close(file)
                throw error
            }
            written += count
        }
        guard fsync(file) == 0, close(file) == 0 else { throw fail("flush") }
        guard rename(temporary, path) == 0 else { throw fail("rename") }
        let folder = open(
            (path as NSString).deletingLastPathComponent.isEmpty ? "." : (path as NSString).deletingLastPathComponent,
            O_RDONLY)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    // MARK: Loading

    static func load(_ path: String) throws -> (Learner, Schema?) { try read(path, decode) }

    /// A file's bytes, decoded; errors with its path.
    static func read<Model>(_ path: String, _ decode: ([UInt8]) throws -> Model) throws -> Model {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ModelFileError(description: "cannot read the model \(path): no such file, or it may not be read")
        }
        do {
            return try decode([UInt8](data))
        } catch let error as ModelFileError {
            throw ModelFileError(description: "cannot read the model \(path): \(error.description)")
        }
    }

    static func decode(_ bytes: [UInt8]) throws -> (Learner, Schema?) {
        guard !isJoint(bytes) else {
            throw ModelFileError(description: "it is of several outputs: load it with MultiOutputLearner")
        }
        var reader = Reader(bytes: try checkedBody(bytes))
        let length: UInt32 = try reader.integer()
        let json = try reader.take(Int(length))
        let count: UInt64 = try reader.integer()
        guard count <= 1024 else { throw ModelFileError(description: "\(count) blocks of numbers: at most 1024") }
        let blocks = try (0..<count).map { _ in try reader.floats() }

        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        let header: Header
        do {
            header = try decoder.decode(Header.self, from: Data(json))
        } catch {
            throw ModelFileError(description: "its header does not make sense: \(error)")
        }
        guard header.metrics.isSound, header.head?.classes.isSound ?? true else {
            throw ModelFileError(description: "its header does not make sense: figures that cannot be")
        }
        guard header.arithmetic == Network.arithmeticVersion else {
            throw ModelFileError(
                description: "it was learned with arithmetic \(header.arithmetic), and this program has "
                    + "\(Network.arithmeticVersion): the same bits could not follow")
        }
        do {
            let learner = try learner(header, blocks)
            learner.expectedSchema = header.schema
            return (learner, header.schema)
        } catch let error as ArchitectureError {
            throw ModelFileError(description: error.description)
        }
    }

    /// What stands between the version and the checksum.
    ///
    /// - Throws: where the file is none of ours, of another version or damaged.
    static func checkedBody(_ bytes: [UInt8]) throws -> ArraySlice<UInt8> {
        guard bytes.starts(with: magic) else { throw ModelFileError(description: "it is not an Eddy model") }
        guard bytes.count >= 32 else { throw ModelFileError(description: "it is cut short (\(bytes.count) bytes)") }
        var reader = Reader(bytes: bytes[8...])
        let fileVersion: UInt32 = try reader.integer()
        guard fileVersion == version || fileVersion == jointVersion else {
            let own = fileVersion < 0x10000 ? version : jointVersion & 0xFFFF
            throw ModelFileError(
                description:
                    "its version is \(fileVersion & 0xFFFF), and this program reads \(own): learn the stream anew, "
                    + "or use the program that wrote it")
        }
        var tail = Reader(bytes: bytes[(bytes.count - 8)...])
        let expected: UInt64 = try tail.integer()
        guard checksum(bytes[..<(bytes.count - 8)]) == expected else {
            throw ModelFileError(description: "its checksum does not match: it is damaged or cut short")
        }
        return reader.bytes.dropLast(8)
    }

    private static func learner(_ header: Header, _ blocks: [[Float]]) throws -> Learner {
        let learner = try Learner(header.configuration)
        var head: Head?
        if let record = header.head {
            var saved = record.committee
            saved.blocks = blocks
            guard header.scaler.map({ $0.inputs == saved.inputs }) ?? (header.configuration.profile == .fast),
                header.metrics.learned < 1 << 62, let encoder = header.encoder,
                encoder.isSound(inputs: saved.inputs)
            else { throw ModelFileError(description: "its features do not fit its layers") }
            let (isSparse, columns) = (encoder.isSparse, encoder.columns)
            guard header.scaler.map({ $0.isSparse == isSparse && (!isSparse || $0.centred == columns) }) ?? true,
                header.configuration.profile == .fast || saved.others?.columns == (isSparse ? columns : nil)
            else { throw ModelFileError(description: "its columns do not fit its terms") }
            head = Head(
                task: record.task, classes: record.classes,
                committee: try Committee(
                    saved, task: record.task, classes: record.classes.names.count, header.configuration),
                targets: record.targets)
        }
        // A network alone was written with a watch that saw nothing, when it could have none.
        let isIdle = header.configuration.driftDetection.isOff
        guard
            isIdle
                || header.drift.isSound(
                    for: header.configuration.driftDetection, columns: header.encoder?.columns,
                    step: header.metrics.learned)
        else { throw ModelFileError(description: "its watch for drift does not fit its settings") }
        learner.restore(
            head: head, encoder: header.encoder, scaler: header.scaler, metrics: header.metrics,
            drift: isIdle ? nil : header.drift)
        return learner
    }

    // MARK: Bytes

    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 { FNV1a.hash(bytes) }

    static func append(_ integer: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: integer.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func append(_ floats: [Float], to bytes: inout [UInt8]) {
        append(UInt64(floats.count), to: &bytes)
        floats.map(\.bitPattern.littleEndian).withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
            guard count >= 0, bytes.count >= count else { throw ModelFileError(description: "it is cut short") }
            defer { bytes = bytes.dropFirst(count) }
            return bytes.prefix(count)
        }

        mutating func integer<Integer: FixedWidthInteger>() throws -> Integer {
            try take(Integer.bitWidth / 8).reversed().reduce(0) { ($0 << 8) | Integer($1) }
        }

        mutating func floats() throws -> [Float] {
            let count: UInt64 = try integer()
            guard count <= UInt64(bytes.count / 4) else { throw ModelFileError(description: "it is cut short") }
            return try take(4 * Int(count)).withUnsafeBytes { bytes in
                (0..<Int(count)).map { index in
                    Float(
                        bitPattern: UInt32(
                            littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))
                }
            }
        }
    }
}

extension Learner {
    /// A learner that goes on where a saved one stopped, to the bit, and its schema.
    ///
    /// - Throws: ``ModelFileError`` with the reason.
    public static func load(_ path: String) throws -> (learner: Learner, schema: Schema?) { try ModelFile.load(path) }

    /// Writes everything that affects the future to a file, whole or not at all.
    ///
    /// - Throws: ``ModelFileError`` with the reason; a file that was there before is then unchanged.
    public func save(schema: Schema?, to path: String) throws { try ModelFile.save(self, schema: schema, to: path) }
}

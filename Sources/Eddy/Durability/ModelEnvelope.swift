// The envelope of a model file: named sections, each with a version of its own.
//
//     "EDDYMODL"            8 bytes
//     version               u32: 4, of the envelope; little-endian as all here
//     number of sections    u32
//     sections, each        name: u8 length and UTF-8 · version: u16 · length: u64 · content
//     checksum              u64: FNV-1a of all bytes before it
//
// The content of a section:
//
//     length of the JSON    u64
//     JSON                  everything but the long arrays of numbers
//     number of blocks      u64
//     blocks, each          u64 count, then float32
//
// A section with an unknown name or version is refused. Its content affects learning, so skipping it would give other
// bits.

import Backprop
import Foundation

/// A model file that was not taken, and why.
public struct ModelFileError: Error, Hashable, CustomStringConvertible {
    public let description: String
}

/// A model file as sections.
struct ModelEnvelope {
    static let magic = Array("EDDYMODL".utf8)
    static let version: UInt32 = 4
    private static let sectionLimit = 64
    private static let blockLimit = 1024

    /// One named part of a model.
    struct Section {
        let name: String
        let version: UInt16
        var json: [UInt8]
        var blocks: [[Float]] = []

        /// - Parameter blocks: numbers of which there are many.
        init(_ name: String, version: UInt16, _ value: some Encodable, blocks: [[Float]] = []) throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            encoder.nonConformingFloatEncodingStrategy = .convertToString(
                positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
            (self.name, self.version, self.blocks) = (name, version, blocks)
            json = [UInt8](try encoder.encode(value))
        }

        fileprivate init(_ name: String, version: UInt16, json: [UInt8], blocks: [[Float]]) {
            (self.name, self.version, self.json, self.blocks) = (name, version, json, blocks)
        }

        /// The value that the section was made of.
        func value<Value: Decodable>(as type: Value.Type) throws -> Value {
            let decoder = JSONDecoder()
            decoder.nonConformingFloatDecodingStrategy = .convertFromString(
                positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
            do {
                return try decoder.decode(type, from: Data(json))
            } catch {
                throw ModelFileError(description: "its section \(name) does not make sense: \(error)")
            }
        }
    }

    var sections: [Section]

    // MARK: Writing

    var bytes: [UInt8] {
        var bytes = ModelEnvelope.magic
        func append(_ integer: some FixedWidthInteger) {
            withUnsafeBytes(of: integer.littleEndian) { bytes.append(contentsOf: $0) }
        }
        append(ModelEnvelope.version)
        append(UInt32(sections.count))
        for section in sections {
            append(UInt8(section.name.utf8.count))
            bytes += section.name.utf8
            append(section.version)
            append(UInt64(16 + section.json.count + section.blocks.reduce(0) { $0 + 8 + 4 * $1.count }))
            append(UInt64(section.json.count))
            bytes += section.json
            append(UInt64(section.blocks.count))
            for block in section.blocks {
                append(UInt64(block.count))
                block.map(\.bitPattern.littleEndian).withUnsafeBytes { bytes.append(contentsOf: $0) }
            }
        }
        append(ModelEnvelope.checksum(bytes[...]))
        return bytes
    }

    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 { FNV1a.hash(bytes) }

    // MARK: Reading

    init(_ sections: [Section]) { self.sections = sections }

    /// - Throws: ``ModelFileError`` where the bytes are none of ours, of another version, damaged or cut short.
    init(_ bytes: [UInt8]) throws {
        guard bytes.starts(with: ModelEnvelope.magic) else {
            throw ModelFileError(description: "it is not an Eddy model")
        }
        guard bytes.count >= 24 else { throw ModelFileError(description: "it is cut short (\(bytes.count) bytes)") }
        var reader = Reader(bytes: bytes[8...])
        let version: UInt32 = try reader.integer()
        guard version == ModelEnvelope.version else {
            // Of several outputs, versions up to 3 had a bit more.
            throw ModelFileError(
                description: "its version is \(version & 0xFFFF), and this program reads \(ModelEnvelope.version): "
                    + "learn the stream anew, or use the release that wrote it")
        }
        var tail = Reader(bytes: bytes[(bytes.count - 8)...])
        let expected: UInt64 = try tail.integer()
        guard ModelEnvelope.checksum(bytes[..<(bytes.count - 8)]) == expected else {
            throw ModelFileError(description: "its checksum does not match: it is damaged or cut short")
        }
        reader.bytes = reader.bytes.dropLast(8)
        let count: UInt32 = try reader.integer()
        guard count <= ModelEnvelope.sectionLimit else {
            throw ModelFileError(description: "\(count) sections: at most \(ModelEnvelope.sectionLimit)")
        }
        sections = try (0..<count).map { _ in try reader.section() }
        guard reader.bytes.isEmpty else { throw ModelFileError(description: "there is more behind its sections") }
    }

    private struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func take(_ count: UInt64) throws -> ArraySlice<UInt8> {
            guard count <= UInt64(bytes.count) else { throw ModelFileError(description: "it is cut short") }
            defer { bytes = bytes.dropFirst(Int(count)) }
            return bytes.prefix(Int(count))
        }

        mutating func integer<Integer: FixedWidthInteger>() throws -> Integer {
            try take(UInt64(Integer.bitWidth / 8)).reversed().reduce(0) { ($0 << 8) | Integer($1) }
        }

        mutating func section() throws -> Section {
            let length: UInt8 = try integer()
            let name = String(decoding: try take(UInt64(length)), as: UTF8.self)
            let version: UInt16 = try integer()
            var content = Reader(bytes: try take(try integer()))
            let json = [UInt8](try content.take(try content.integer()))
            let count: UInt64 = try content.integer()
            guard count <= ModelEnvelope.blockLimit else {
                throw ModelFileError(description: "\(count) blocks of numbers: at most \(ModelEnvelope.blockLimit)")
            }
            let blocks = try (0..<count).map { _ in try content.floats() }
            guard content.bytes.isEmpty else {
                throw ModelFileError(description: "there is more in its section \(name) than there should be")
            }
            return Section(name, version: version, json: json, blocks: blocks)
        }

        mutating func floats() throws -> [Float] {
            let count: UInt64 = try integer()
            guard count <= UInt64(bytes.count / 4) else { throw ModelFileError(description: "it is cut short") }
            return try take(4 * count).withUnsafeBytes { bytes in
                (0..<Int(count)).map { index in
                    Float(
                        bitPattern: UInt32(
                            littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))
                }
            }
        }
    }
}

// MARK: - Files

extension ModelEnvelope {
    /// A file's envelope.
    ///
    /// - Throws: ``ModelFileError`` with the path and the reason.
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

    /// Writes beside the name, flushes to the disk, then renames: a crash leaves the old file or the new one, never half of
    /// one.
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
}

// A stream of packed samples, cut anywhere: one header, then records without end.
//
// Whole records are decoded where they lie; only one that a buffer's end cuts in two is copied together.
// There are no marks between records, so nothing can be found again after a header that is not understood: such a
// stream is refused. A record that is no sample costs its own 4 bytes a number, and the stream goes on.

/// Turns a packed stream's bytes into samples.
struct PackedReader: Sendable {
    private let limit: Int
    private var layout: PackedSamples?
    /// The beginning of a header or record whose end has not come yet.
    private var carry: [UInt8]
    /// Records so far, those before this reader's included.
    private(set) var records: Int
    private var isClaimed = false

    /// - Parameters:
    ///   - beginning: the stream's first bytes, where they came before the rest.
    ///   - limit: the longest record, in bytes.
    ///   - recordsBefore: of messages before.
    init(beginning: [UInt8], limit: Int, recordsBefore: Int = 0) {
        carry = beginning
        records = recordsBefore
        self.limit = limit
    }

    /// Whether a stream is packed: `EDDY` and a version, which is no letter, as text would have.
    static func begins(_ bytes: some Sequence<UInt8>) -> Bool {
        let first = Array(bytes.prefix(5))
        return first.count == 5 && first.starts(with: PackedSamples.magic) && first[4] < 0x20
            && !"\n\r\t".utf8.contains(first[4])
    }

    /// The same of a message, which has no lines that might begin so.
    static func beginsMessage(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.starts(with: PackedSamples.magic) && (bytes.count == 4 || bytes.dropFirst(4).first! < 0x20)
    }

    /// Takes records up to a chunk's limit; returns their samples and how many bytes were taken.
    ///
    /// - Throws: ``SampleError`` where the stream cannot be understood, now and later.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, limit: ChunkLimit, claim: inout SchemaDraft
    ) throws(SampleError) -> (chunk: DecodedChunk, used: Int) {
        var used = 0
        if layout == nil {
            used = fill(to: PackedSamples.headerLength, from: bytes)
            guard carry.count == PackedSamples.headerLength else { return (empty, used) }
            layout = try readHeader(claim.current)
            carry.removeAll(keepingCapacity: true)
        }
        let layout = layout!
        let length = layout.recordLength
        if !carry.isEmpty || bytes.count - used < length {
            used += fill(to: length, from: UnsafeRawBufferPointer(rebasing: bytes[used...]))
            guard carry.count == length else { return (empty, used) }
            let chunk = carry.withUnsafeBytes { layout.decode($0, firstLine: records + 1) }
            carry.removeAll(keepingCapacity: true)
            return (try take(chunk, 1, &claim), used)
        }
        let count = min((bytes.count - used) / length, limit.rows(of: layout.inputs))
        let whole = UnsafeRawBufferPointer(rebasing: bytes[used..<used + count * length])
        return (try take(layout.decode(whole, firstLine: records + 1), count, &claim), used + count * length)
    }

    /// The end of the stream: what is wrong with it, where it ends amid a record.
    func finish() -> SampleError? {
        guard let layout else {
            return SampleError(
                line: records + 1, field: "header", expected: "\(PackedSamples.headerLength) bytes",
                got: "\(carry.count) bytes")
        }
        return carry.isEmpty ? nil : layout.cut(carry.count, line: records + 1)
    }

    private var empty: DecodedChunk { DecodedChunk(samples: SampleChunk(inputs: layout?.inputs ?? 0)) }

    /// Carries bytes until there are `count`; returns how many it took.
    private mutating func fill(to count: Int, from bytes: UnsafeRawBufferPointer) -> Int {
        let taken = min(count - carry.count, bytes.count)
        carry.append(contentsOf: bytes.prefix(taken))
        return taken
    }

    private func readHeader(_ schema: Schema?) throws(SampleError) -> PackedSamples {
        let header = carry.withUnsafeBytes { bytes in
            Result { () throws(SampleError) in try PackedSamples(header: bytes) }
        }
        let layout: PackedSamples
        do throws(SampleError) { layout = try header.get() } catch {
            var error = error
            error.line = records + 1
            throw error
        }
        guard layout.recordLength <= limit else {
            throw SampleError(
                .tooLong, line: records + 1, field: "inputs", expected: "records of at most \(limit) bytes",
                got: "\(layout.recordLength) bytes")
        }
        if let schema { try check(schema, layout) }
        return layout
    }

    /// The first sample of a session says how many inputs there are; a header alone fixes nothing.
    private mutating func take(
        _ chunk: DecodedChunk, _ count: Int, _ claim: inout SchemaDraft
    ) throws(SampleError) -> DecodedChunk {
        if !isClaimed, !chunk.samples.isEmpty {
            isClaimed = true
            try check(claim.claim(Schema(inputs: chunk.samples.inputs)), layout!)
            _ = claim.claimLabels(["label"])
        }
        records += count
        return chunk
    }

    private func check(_ schema: Schema, _ layout: PackedSamples) throws(SampleError) {
        guard schema.inputs.count == layout.inputs else {
            throw SampleError(
                .schema, line: records + 1, field: "inputs",
                expected: "\(schema.inputs.count), as the samples before had",
                got: "\(layout.inputs)")
        }
    }
}

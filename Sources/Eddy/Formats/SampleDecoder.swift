// From bytes to samples: lines, format, directives.
//
// A pure state machine: bytes in, a chunk and the events between its samples out; no clock, no input
// or output, so that it can be fed drip by drip in a test. It splits lines itself because the formats'
// parsers read straight from the received buffer; only a line that a buffer's end cuts in two is copied.
//
// Nothing is fixed by a line that is not a sample: the format is recognised anew from each line, and the
// schema left open, until the connection's first valid one. (A CSV header that names its label settles the
// format, and no more.)

/// Turns the bytes of one connection or file into chunks of samples.
///
///     var decoder = SampleDecoder(schema: session.schema)
///     var bytes = Array("x,y,label\n0.5,1,true\n".utf8)[...]
///     let chunk = decoder.decode(&bytes)   // one sample, inputs x and y
///     let rest = decoder.finish()          // a last line without newline, if there is one
public struct SampleDecoder: Sendable {
    /// The longest text line, in bytes.
    public static let defaultLineLimit = 1 << 20

    private var claim: SchemaDraft
    private let label: LabelColumn
    private let lineLimit: Int
    private var format: SampleFormat?
    private var isFormatFixed: Bool
    private var csv: CSVReader
    private var json: JSONLinesReader
    private var vw = VowpalWabbitReader()
    private var libsvm = LIBSVMReader()
    /// Where the stream is packed binary rather than lines.
    private var packed: PackedReader?
    /// Whether buffers are messages, and the packed records in those so far.
    private var areMessages = false
    private var packedRecords = 0
    /// Nothing but directives has come.
    private var isAtBeginning: Bool

    /// The beginning of a line whose end has not come yet.
    private var carry: [UInt8] = []
    private var isDiscarding = false
    private var isForeign = false
    private var line = 0
    /// Late labels in the chunk.
    private var lateLabels = 0
    private var chunk = DecodedChunk(samples: SampleChunk(inputs: 0))

    /// - Parameters:
    ///   - format: nil recognises it from the lines.
    ///   - schema: who decides what the inputs are; a session's own.
    ///   - lineLimit: the longest line in bytes; a longer one is discarded to its newline with one error.
    public init(
        format: SampleFormat? = nil, label: LabelColumn = .automatic, schema: SchemaClaim,
        lineLimit: Int = SampleDecoder.defaultLineLimit
    ) {
        self.format = format
        self.isFormatFixed = format != nil
        self.isAtBeginning = format == nil
        claim = SchemaDraft(schema)
        self.label = label
        self.lineLimit = lineLimit
        self.csv = CSVReader(label: label)
        self.json = JSONLinesReader(label: label)
    }

    /// Takes bytes up to `limit` samples and returns what is in them; what was taken is removed from `bytes`.
    public mutating func decode(_ bytes: inout ArraySlice<UInt8>, limit: Int = .max) -> DecodedChunk {
        decode(&bytes, within: ChunkLimit(samples: limit))
    }

    /// The same up to a chunk's limit.
    public mutating func decode(_ bytes: inout ArraySlice<UInt8>, within limit: ChunkLimit) -> DecodedChunk {
        let (chunk, used) = bytes.withUnsafeBufferPointer { decode($0, within: limit) }
        bytes = bytes.dropFirst(used)
        return chunk
    }

    /// The same for bytes elsewhere; returns how many were taken (all, unless the limit was reached).
    public mutating func decode(
        _ bytes: UnsafeBufferPointer<UInt8>, within limit: ChunkLimit
    ) -> (chunk: DecodedChunk, used: Int) {
        let before = claim.isFirst ? self : nil
        begin()
        guard let start = bytes.baseAddress else { return (take(), 0) }
        let end = start + bytes.count
        var cursor = start
        while cursor < end, limit.hasRoom(in: chunk, lateLabels: lateLabels), !isForeign {
            if packed != nil || (isAtBeginning && beginsPacked(cursor, end)) {
                cursor += readPacked(UnsafeRawBufferPointer(start: cursor, count: end - cursor), limit)
                break
            }
            readPlainRows(&cursor, end, limit: limit.rows(of: chunk.samples.inputs))
            if cursor == end || !limit.hasRoom(in: chunk, lateLabels: lateLabels) { break }
            guard let newline = findNewline(cursor, end) else {
                keep(cursor, end)
                cursor = end
                break
            }
            if isDiscarding {
                isDiscarding = false
            } else if !carry.isEmpty {
                keep(cursor, newline)
                if isDiscarding { isDiscarding = false } else { processCarry() }
            } else {
                process(UnsafeBufferPointer(start: cursor, count: newline - cursor))
            }
            cursor = newline + 1
        }
        let used = isForeign ? bytes.count : cursor - start
        var chunk = take()
        if chunk.proposal != nil, let before {
            let bytes = Array(bytes[..<used])
            chunk.decodedAgain = {
                var decoder = before
                return bytes.withUnsafeBufferPointer { decoder.decode($0, within: limit).chunk }
            }
        }
        return (chunk, used)
    }

    /// The end of the stream: the last line, where no newline ended it.
    public mutating func finish() -> DecodedChunk { again { $0.finishOnce() } }

    /// What a call yields, with the means to repeat it where columns are proposed.
    private mutating func again(_ decode: @escaping @Sendable (inout SampleDecoder) -> DecodedChunk) -> DecodedChunk {
        let before = claim.isFirst ? self : nil
        var chunk = decode(&self)
        if chunk.proposal != nil, let before {
            chunk.decodedAgain = {
                var decoder = before
                return decode(&decoder)
            }
        }
        return chunk
    }

    private mutating func finishOnce() -> DecodedChunk {
        begin()
        if let packed, !isForeign, let error = packed.finish() { reject(error) }
        if !isDiscarding, !carry.isEmpty, !isForeign { processCarry() }
        return take()
    }

    // MARK: Messages

    /// A message begins, which may hold packed samples; their records are counted on from message to message.
    mutating func beginMessage(_ beginning: some Collection<UInt8>) {
        areMessages = true
        if PackedReader.beginsMessage(beginning) {
            packed = PackedReader(beginning: [], limit: lineLimit, recordsBefore: packedRecords)
        }
    }

    /// A message ends, and with it its last line.
    mutating func endMessage() -> DecodedChunk { again { $0.endMessageOnce() } }

    private mutating func endMessageOnce() -> DecodedChunk {
        begin()
        guard let packed else {
            if isDiscarding { isDiscarding = false } else if !carry.isEmpty, !isForeign { processCarry() }
            return take()
        }
        if let error = packed.finish() { reject(error) }
        packedRecords = packed.records
        self.packed = nil
        return take()
    }

    // MARK: Packed binary

    /// Whether packed samples begin here, at the beginning of a line.
    private mutating func beginsPacked(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Bool {
        guard (carry.first ?? start.pointee) == PackedSamples.magic[0] else { return false }
        guard PackedReader.begins(carry.prefix(5) + UnsafeBufferPointer(start: start, count: min(5, end - start)))
        else { return false }
        packed = PackedReader(beginning: carry, limit: lineLimit)
        carry = []
        return true
    }

    private mutating func readPacked(_ bytes: UnsafeRawBufferPointer, _ limit: ChunkLimit) -> Int {
        do throws(SampleError) {
            try checkOneLabel("packed binary")
            let (records, used) = try packed!.read(bytes, limit: limit, claim: &claim)
            let before = chunk.events
            chunk = records
            if !before.isEmpty { chunk.events = before + records.events }
            return used
        } catch {
            if areMessages {  // the next one has a header of its own
                packed = nil
                chunk.events.append(DecodedEvent(index: 0, line: error.line, kind: .rejected(error)))
            } else {
                isForeign = true
                chunk.events.append(DecodedEvent(index: 0, line: error.line, kind: .foreign("\(error)")))
            }
            return bytes.count
        }
    }

    // MARK: Lines

    private mutating func begin() {
        if claim.settle() {
            csv.replan()
            json.forget()
            vw.forget()
            libsvm.forget()
        }
        chunk = DecodedChunk(samples: SampleChunk(inputs: claim.current?.inputs.count ?? 0))
        lateLabels = 0
    }

    private mutating func take() -> DecodedChunk {
        defer { chunk = DecodedChunk(samples: SampleChunk(inputs: 0)) }
        chunk.proposal = claim.proposal
        return chunk
    }

    private mutating func keep(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) {
        if isDiscarding { return }
        let bytes = UnsafeBufferPointer(start: start, count: end - start)
        guard carry.count + bytes.count <= lineLimit else {
            let beginning = Array(carry.prefix(16)) + bytes.prefix(16)
            beginning.withUnsafeBufferPointer { tooLong($0) }
            carry = []
            isDiscarding = true
            return
        }
        carry.append(contentsOf: bytes)
    }

    private mutating func tooLong(_ beginning: UnsafeBufferPointer<UInt8>) {
        line += 1
        isAtBeginning = false
        if line == 1, FormatRecognition.beginsAsHTTP(beginning) { return refuse() }
        reject(
            SampleError(
                .tooLong, line: line, expected: "a line of at most \(lineLimit) bytes", got: "a longer one, discarded"))
    }

    private mutating func processCarry() {
        var whole: [UInt8] = []
        swap(&whole, &carry)
        whole.append(0x0A)
        whole.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress!
            let newline = cursor + (bytes.count - 1)
            readPlainRows(&cursor, newline + 1, limit: .max)
            if cursor <= newline { process(UnsafeBufferPointer(rebasing: bytes.dropLast())) }
        }
        whole.removeAll(keepingCapacity: true)
        swap(&whole, &carry)
    }

    /// Lines that need no look at each: CSV rows of numbers, once the columns are settled.
    @inline(__always)
    private mutating func readPlainRows(_ cursor: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, limit: Int) {
        guard format == .csv, isFormatFixed, carry.isEmpty, !isDiscarding else { return }
        csv.readPlainRows(&cursor, end, limit: limit, lineLimit: lineLimit, line: &line, into: &chunk)
    }

    private mutating func process(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count <= lineLimit else { return tooLong(bytes) }
        line += 1
        var text = bytes
        if text.last == UInt8(ascii: "\r") { text = UnsafeBufferPointer(rebasing: text.dropLast()) }
        if line == 1, text.starts(with: [0xEF, 0xBB, 0xBF]) { text = UnsafeBufferPointer(rebasing: text.dropFirst(3)) }
        guard let first = text.first else { return }
        if line == 1, FormatRecognition.isHTTPRequest(text) { return refuse() }
        if first == UInt8(ascii: "!") {
            if let directive = String(validating: text.dropFirst(), as: UTF8.self), directive.utf8.count <= 4096 {
                obey(directive)
            } else {
                let error = SampleError(
                    .directive, line: line, expected: "a directive in UTF-8, of at most 4096 bytes",
                    got: SampleError.excerpt(text))
                chunk.events.append(
                    DecodedEvent(index: chunk.samples.count, line: line, kind: .refusedDirective(error)))
            }
            return
        }
        isAtBeginning = false
        do throws(SampleError) {
            try read(text)
        } catch {
            tellBelated()
            reject(error)
        }
    }

    /// An earlier line that was passed over and should not have been.
    @inline(__always)
    private mutating func tellBelated() {
        guard let error = csv.belated else { return }
        csv.belated = nil
        chunk.events.append(DecodedEvent(index: chunk.samples.count, line: error.line, kind: .rejected(error)))
    }

    @inline(__always)
    private mutating func read(_ text: UnsafeBufferPointer<UInt8>) throws(SampleError) {
        if !isFormatFixed {
            switch FormatRecognition.recognise(text) {
            case .format(let recognised): format = recognised
            case .unsupported(let name): throw SampleError(.format, line: line, expected: "lines of text", got: name)
            }
        }
        if format == .vw || format == .libsvm { try checkOneLabel(format == .vw ? "Vowpal Wabbit text" : "LIBSVM") }
        let isSample =
            switch format! {
            case .csv: try readCSV(text)
            case .json: try json.read(text, line: line, into: &chunk.samples, claim: &claim)
            case .vw: try vw.read(text, line: line, into: &chunk.samples, claim: &claim)
            case .libsvm: try libsvm.read(text, line: line, into: &chunk.samples, claim: &claim)
            }
        if isSample {
            isFormatFixed = true
            chunk.lines.append(line)
        } else if let late = json.takeLate() {
            append(late)
        } else if csv.isSureOfHeader {
            isFormatFixed = true
        }
    }

    /// - Throws: ``SampleError`` where several labels were asked for, of a format that has one.
    @inline(__always)
    private func checkOneLabel(_ format: String) throws(SampleError) {
        guard case .several(let columns) = label else { return }
        throw SampleError(
            .format, line: line, field: "label", expected: "CSV or JSON lines, for \(columns.count) labels",
            got: "\(format), which has one")
    }

    @inline(__always)
    private mutating func readCSV(_ text: UnsafeBufferPointer<UInt8>) throws(SampleError) -> Bool {
        let before = chunk.samples.count
        let isSample = try csv.read(text, line: line, into: &chunk.samples, claim: &claim)
        if let error = csv.belated {
            csv.belated = nil
            chunk.events.append(DecodedEvent(index: before, line: error.line, kind: .rejected(error)))
        }
        return isSample
    }

    private mutating func refuse() {
        isForeign = true
        let why = "this is the feed, not the web side: expected samples, got an HTTP request"
        chunk.events.append(DecodedEvent(index: chunk.samples.count, line: line, kind: .foreign(why)))
    }

    private mutating func reject(_ error: SampleError) {
        chunk.events.append(DecodedEvent(index: chunk.samples.count, line: line, kind: .rejected(error)))
    }

    private mutating func append(_ late: LateLabel) {
        lateLabels += 1
        chunk.events.append(DecodedEvent(index: chunk.samples.count, line: line, kind: .lateLabel(late)))
    }

    private func lateLabel(_ directive: String) throws(SampleError) -> LateLabel {
        try LateLabel(directive: directive, outputs: claim.outputs, line: line)
    }

    /// `!format …` is the decoder's own, `!label …` counts as a data line; all other directives are handed on.
    private mutating func obey(_ directive: String) {
        let words = directive.split(separator: " ")
        if words.first == "label" {
            do throws(SampleError) {
                append(try lateLabel(directive))
            } catch {
                reject(error)
            }
            return
        }
        guard words.first == "format" else {
            chunk.events.append(DecodedEvent(index: chunk.samples.count, line: line, kind: .directive(directive)))
            return
        }
        guard words.count == 2, let named = SampleFormat(rawValue: String(words[1])) else {
            let given = words.dropFirst().joined(separator: " ")
            let error = SampleError(.directive, line: line, field: "format", expected: SampleFormat.names, got: given)
            chunk.events.append(DecodedEvent(index: chunk.samples.count, line: line, kind: .refusedDirective(error)))
            return
        }
        format = named
        isFormatFixed = true
        isAtBeginning = false
    }
}

/// The next newline, or nil.
@inline(__always)
func findNewline(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8>? {
    guard start < end, let found = memchr(start, 0x0A, end - start) else { return nil }
    return UnsafePointer(found.assumingMemoryBound(to: UInt8.self))
}

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

// LIBSVM's text (and SVMlight's): a label, then what is not zero.
//
//     +1 3:0.5 17:-2 # a remark
//
// An index is a term whose name is its digits, so that `3:0.5` here and `| 3:0.5` in Vowpal Wabbit's text are the same. No
// number of inputs is announced, and none is needed. Indices may come in any order, but each once.
//
// Deliberately not here: ranking (`qid:`) and several labels (`1,4`), which want another loss.

import Backprop

/// Reads LIBSVM lines of one connection.
struct LIBSVMReader: Sendable {
    private var labels = LabelReader()
    private var writer = TermWriter()
    private var isClaimed = false

    /// Checks the schema again at the next sample, because the stream has accepted another one.
    mutating func forget() { isClaimed = false }

    /// Appends the line's sample; always true, but for a line with a remark alone.
    ///
    /// - Throws: ``SampleError``; the chunk is then unchanged.
    mutating func read(
        _ line: UnsafeBufferPointer<UInt8>, line number: Int, into chunk: inout SampleChunk, claim: inout SchemaDraft
    ) throws(SampleError) -> Bool {
        var label: Label?
        if !isClaimed { try claim.prepareTerms(&chunk, line: number, format: "LIBSVM") }
        do throws(SampleError) {
            guard try readWords(line, number, &label, &chunk.terms) else { return false }
            if !isClaimed { try claim.claimTerms(line: number, format: "LIBSVM") }
        } catch {
            chunk.terms.takeBack()
            throw error
        }
        isClaimed = true
        chunk.finish(label: label ?? .none)
        return true
    }

    /// Reads the label, none where the line begins with a feature, and the features; false where there is neither.
    private mutating func readWords(
        _ line: UnsafeBufferPointer<UInt8>, _ number: Int, _ label: inout Label?, _ terms: inout Terms
    ) throws(SampleError) -> Bool {
        var next = 0
        var column = 0
        var last: Int64 = -1
        var isSorted = true
        var indices: [Int64] = []  // where they are not sorted
        let begin = terms.keys.count
        while true {
            while next < line.count, FormatRecognition.isBlank(line[next]) { next += 1 }
            guard next < line.count, line[next] != UInt8(ascii: "#") else { break }
            let first = next
            while next < line.count, !FormatRecognition.isBlank(line[next]), line[next] != UInt8(ascii: "#") {
                next += 1
            }
            let word = UnsafeBufferPointer(rebasing: line[first..<next])
            column += 1
            if column == 1, !word.contains(UInt8(ascii: ":")) {
                label = try readLabel(word, number)
                continue
            }
            let (index, value) = try readFeature(word, number, column)
            if index <= last, isSorted {
                isSorted = false
                indices = try LIBSVMReader.indices(before: UnsafeBufferPointer(rebasing: line[..<first]))
            }
            last = index
            if !isSorted { indices.append(index) }
            guard value != 0 else { continue }
            add(index, value, &terms)
        }
        if !isSorted, Set(indices).count < indices.count {
            throw SampleError(line: number, expected: "each index once", got: "one a second time")
        }
        return column > 0 || terms.keys.count > begin
    }

    private mutating func readLabel(
        _ word: UnsafeBufferPointer<UInt8>, _ number: Int
    ) throws(SampleError) -> Label {
        let labels = word.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard labels.count == 1 else {
            throw SampleError(
                line: number, column: 1, field: "label", expected: "one label: several are not learned",
                got: SampleError.excerpt(word))
        }
        do throws(SampleError) { return try self.labels.read(word) } catch {
            throw SampleError(line: number, column: 1, field: "label", expected: error.expected, got: error.got)
        }
    }

    private func readFeature(
        _ word: UnsafeBufferPointer<UInt8>, _ number: Int, _ column: Int
    ) throws(SampleError) -> (index: Int64, value: Float) {
        var index: Int64 = 0
        var digits = 0
        while digits < word.count, word[digits] &- UInt8(ascii: "0") < 10, digits < 18 {
            index = index * 10 + Int64(word[digits] - UInt8(ascii: "0"))
            digits += 1
        }
        guard digits > 0, digits + 1 < word.count, word[digits] == UInt8(ascii: ":") else {
            if word.starts(with: "qid:".utf8) {
                throw SampleError(
                    line: number, column: column, expected: "features: ranking by queries is not learned",
                    got: SampleError.excerpt(word))
            }
            throw SampleError(
                line: number, column: column, expected: "index:value, the index a whole number",
                got: SampleError.excerpt(word))
        }
        switch DecimalNumber.parse(word.baseAddress! + digits + 1, count: word.count - digits - 1) {
        case .success(let value): return (index, value)
        case .failure(let failure):
            throw SampleError(
                line: number, column: column, field: "\(index)",
                expected: failure == .outOfRange ? "number within ±3.4e38" : "number", got: SampleError.excerpt(word))
        }
    }

    /// The indices of a line's beginning that has been read.
    private static func indices(before line: UnsafeBufferPointer<UInt8>) throws(SampleError) -> [Int64] {
        line.split(whereSeparator: FormatRecognition.isBlank).compactMap { word in
            word.firstIndex(of: UInt8(ascii: ":")).flatMap { Int64(String(decoding: word[..<$0], as: UTF8.self)) }
        }
    }

    @inline(__always)
    private mutating func add(_ index: Int64, _ value: Float, _ terms: inout Terms) {
        // The digits again, without zeros in front, so that 007 is 7.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var rest = index
            var first = 20
            repeat {
                first -= 1
                digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            writer.add(.none, UnsafeBufferPointer(rebasing: digits[first...]), value, to: &terms)
        }
    }
}

extension SchemaDraft {
    /// Makes a chunk ready for samples without columns.
    ///
    /// - Throws: ``SampleError`` where the session's samples have columns.
    func prepareTerms(_ chunk: inout SampleChunk, line: Int, format: String) throws(SampleError) {
        if let current { try checkTerms(current, line, format) }
        if chunk.inputs != 0 { chunk.restart(inputs: 0) }
    }

    /// Claims a schema without columns.
    ///
    /// - Throws: ``SampleError`` where the session's samples have columns.
    mutating func claimTerms(line: Int, format: String) throws(SampleError) {
        try checkTerms(claim(.terms), line, format)
        _ = claimLabels(["label"])
    }

    private func checkTerms(_ schema: Schema, _ line: Int, _ format: String) throws(SampleError) {
        guard schema.columns.isEmpty else {
            throw SampleError(
                .schema, line: line,
                expected: "CSV or JSON lines with \(schema.columns.count) columns, as the samples before had",
                got: "\(format), which has none")
        }
    }
}

// Vowpal Wabbit's text: a label, then features by name, in namespaces.
//
//     1 0.5 'tag |measures:2 height:1.5 width |colours red :3
//     label importance tag |namespace:weight name:value name …
//
// All features are terms: `namespace^name`, or `name` alone where the namespace has no name. One without a value has the
// value 1, one without a name is named by its place in its namespace from 0, and one whose value is 0 is as good as absent.
// The tag (a word before the bar that begins with ' or touches the bar) is the sample's id. A base can only be 0, since
// nothing here would add it to a prediction.
//
// Most streams name the same features in the same order in every line. So the names of the line before are kept by their
// places, and a feature that begins as the one before it in that place has its key without being hashed; where words begin
// is found for a whole line at once (CommaScan), and a value whose ends are known is read without a loop (DecimalCell).
// VowpalWabbitFeatures.swift has that part.
//
// Deliberately not here: labels of contextual bandits and of costs (`1:0.5:0.2`), samples of several lines, and several
// labels, which want another loss.

/// Reads Vowpal Wabbit lines of one connection.
struct VowpalWabbitReader: Sendable {
    private var labels = LabelReader()
    private var isClaimed = false
    private var features = VowpalWabbitFeatures()

    /// What stands in front of the first bar.
    private struct Front {
        var label = Label.none
        var weight: Float = 1
        var tag: String?
    }

    /// Checks the schema again at the next sample, because the stream has accepted another one.
    mutating func forget() { isClaimed = false }

    /// Appends the line's sample; always true.
    ///
    /// - Throws: ``SampleError``; the chunk is then unchanged.
    mutating func read(
        _ line: UnsafeBufferPointer<UInt8>, line number: Int, into chunk: inout SampleChunk, claim: inout SchemaDraft
    ) throws(SampleError) -> Bool {
        guard let start = line.baseAddress, let bar = memchr(start, 0x7C, line.count) else {
            throw SampleError(
                line: number, expected: "a label, a bar, and features", got: SampleError.excerpt(line))
        }
        if !isClaimed { try claim.prepareTerms(&chunk, line: number, format: "Vowpal Wabbit text") }
        let first = UnsafePointer(bar.assumingMemoryBound(to: UInt8.self))
        let front = try readFront(UnsafeBufferPointer(start: start, count: first - start), number)
        do throws(SampleError) {
            try features.read(first, end: start + line.count, line: number, readable: start, into: &chunk.terms)
            if case .none = front.label, !chunk.terms.hasPending {
                throw SampleError(line: number, expected: "a feature or a label", got: SampleError.excerpt(line))
            }
            if !isClaimed { try claim.claimTerms(line: number, format: "Vowpal Wabbit text") }
        } catch {
            chunk.terms.takeBack()
            throw error
        }
        isClaimed = true
        chunk.finish(label: front.label, weight: front.weight, id: front.tag)
        return true
    }

    // MARK: In front of the bar

    @inline(__always)
    private mutating func readFront(
        _ front: UnsafeBufferPointer<UInt8>, _ number: Int
    ) throws(SampleError) -> Front {
        // A number of a digit and maybe a sign, and a blank: nearly every line of classes.
        if front.count == 2 || front.count == 3, front[front.count - 1] == UInt8(ascii: " ") {
            let digit = front[front.count - 2] &- UInt8(ascii: "0")
            if digit < 10 {
                if front.count == 2 { return Front(label: .number(Float(digit))) }
                if front[0] == UInt8(ascii: "-") { return Front(label: .number(0 - Float(digit))) }
            }
        }
        return try readWords(front, number)
    }

    private mutating func readWords(
        _ front: UnsafeBufferPointer<UInt8>, _ number: Int
    ) throws(SampleError) -> Front {
        var result = Front()
        var words = front.split(whereSeparator: FormatRecognition.isBlank)
        if let last = words.last, last.endIndex == front.endIndex || last.first == UInt8(ascii: "'") {
            words.removeLast()
            let tag = last.first == UInt8(ascii: "'") ? last.dropFirst() : last
            result.tag = try readTag(UnsafeBufferPointer(rebasing: tag), number)
        }
        guard words.count <= 3 else {
            throw wrong(
                words[3], number, 4, "tag",
                "at most label, importance, base and a tag that begins with ' before the bar")
        }
        if words.count > 0 { result.label = try readLabel(words[0], number) }
        if words.count > 1 {
            guard let weight = Self.number(words[1]), weight >= 0 else {
                throw wrong(words[1], number, 2, "importance", "a number, at least 0")
            }
            result.weight = weight
        }
        if words.count > 2, Self.number(words[2]) != 0 {
            throw wrong(words[2], number, 3, "base", "0: a base prediction is not added to ours")
        }
        return result
    }

    private mutating func readLabel(
        _ word: Slice<UnsafeBufferPointer<UInt8>>, _ number: Int
    ) throws(SampleError) -> Label {
        if word.contains(where: { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ",") })
            || word.elementsEqual("shared".utf8)
        {
            throw wrong(
                word, number, 1, "label", "a number or a class: costs, bandits and several labels are not learned")
        }
        do throws(SampleError) { return try labels.read(UnsafeBufferPointer(rebasing: word)) } catch {
            throw SampleError(line: number, column: 1, field: "label", expected: error.expected, got: error.got)
        }
    }

    /// The longest tag, in bytes.
    private static let longestTag = 256

    private func readTag(_ tag: UnsafeBufferPointer<UInt8>, _ number: Int) throws(SampleError) -> String? {
        if tag.isEmpty { return nil }
        guard tag.count <= Self.longestTag, let text = String(validating: tag, as: UTF8.self) else {
            throw SampleError(
                line: number, field: "tag", expected: "a tag of at most \(Self.longestTag) bytes in UTF-8",
                got: SampleError.excerpt(tag))
        }
        return text
    }

    private static func number(_ word: Slice<UnsafeBufferPointer<UInt8>>) -> Float? {
        let bytes = UnsafeBufferPointer(rebasing: word)
        return try? DecimalNumber.parse(bytes.baseAddress!, count: bytes.count).get()
    }

    private func wrong(
        _ word: Slice<UnsafeBufferPointer<UInt8>>, _ line: Int, _ column: Int, _ field: String, _ expected: String
    ) -> SampleError {
        SampleError(
            line: line, column: column, field: field, expected: expected,
            got: SampleError.excerpt(UnsafeBufferPointer(rebasing: word)))
    }
}

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

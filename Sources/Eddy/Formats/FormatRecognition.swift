// Telling a stream's format from one of its lines.
//
// Only what is certain is claimed: whatever is neither JSON nor Vowpal Wabbit's nor LIBSVM's text for sure, nor known to
// be foreign, is taken for CSV, whose errors then say what is wrong.

enum FormatRecognition {
    enum Result: Equatable {
        case format(SampleFormat)
        /// What can be said of it, as it is not read.
        case unsupported(String)
    }

    static func recognise(_ line: UnsafeBufferPointer<UInt8>) -> Result {
        let first = line.first { !isBlank($0) }
        if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") { return .format(.json) }
        if line.starts(with: "EDDY".utf8), line.contains(where: { $0 < 0x20 }) {
            return .unsupported("what looks like packed binary amid lines")
        }
        if isVowpalWabbit(line), CellValue.isText(line) { return .format(.vw) }
        if isLIBSVM(line), CellValue.isText(line) { return .format(.libsvm) }
        return .format(.csv)
    }

    /// `GET /path HTTP/1.1` and the like: the sender is no feed, and its connection ends. A web page must not be able to
    /// post lines into the learner.
    static func isHTTPRequest(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        beginsAsHTTP(line) && line.count > 8 && line.suffix(8).starts(with: "HTTP/".utf8)
    }

    /// Whether a line of which only the beginning is known could be such a request.
    static func beginsAsHTTP(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        let methods = ["GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE ", "PRI "]
        return methods.contains { line.starts(with: $0.utf8) }
    }

    /// A bar, and in front of it nothing, or at most four words of which the first begins as a number or a tag does; no
    /// comma there, and a blank or nothing before the bar unless a tag is.
    private static func isVowpalWabbit(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let bar = line.firstIndex(of: UInt8(ascii: "|")) else { return false }
        let front = line[..<bar]
        guard !front.contains(UInt8(ascii: ",")) else { return false }
        let words = front.split(maxSplits: 5, whereSeparator: isBlank)
        guard let first = words.first else { return true }
        guard words.count <= 4, isBlank(front.last!) || words.count > 1 || first.first == UInt8(ascii: "'") else {
            return false
        }
        return first.first == UInt8(ascii: "'") || isNumber(first.prefix { $0 != UInt8(ascii: ":") })
            || first.elementsEqual("shared".utf8)
    }

    /// `label index:value …`: a number or several with commas, then a whole number or `qid`, a colon and a number.
    private static func isLIBSVM(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        let words = line.prefix(400).split(maxSplits: 2, whereSeparator: isBlank)
        guard words.count >= 2, let colon = words[1].firstIndex(of: UInt8(ascii: ":")),
            words[0].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).allSatisfy({ isNumber($0) })
        else { return false }
        let index = words[1][..<colon]
        let isIndex = !index.isEmpty && index.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return (isIndex || index.elementsEqual("qid".utf8)) && isNumber(words[1][(colon + 1)...])
    }

    static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == 0x0B || byte == 0x0C
    }

    private static func isNumber(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        let bytes = UnsafeBufferPointer(rebasing: text)
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return false }
        if case .failure(.notANumber) = DecimalNumber.parse(start, count: bytes.count) { return false }
        return true
    }
}

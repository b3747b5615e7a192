// Telling a stream's format from one of its lines.
//
// Only what is certain is claimed: whatever is neither JSON nor something known to be
// foreign is taken for CSV, whose errors then say what is wrong.

enum FormatRecognition {
    enum Result: Equatable {
        case format(SampleFormat)
        /// A format of samples that is not read.
        case unsupported(String)
    }

    static func recognise(_ line: UnsafeBufferPointer<UInt8>) -> Result {
        let first = line.first { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
        if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") { return .format(.json) }
        if line.starts(with: "EDDY".utf8), line.contains(where: { $0 < 0x20 }) {
            return .unsupported("packed binary amid lines")
        }
        if isVowpalWabbit(line) { return .unsupported("Vowpal Wabbit text") }
        if isLIBSVM(line) { return .unsupported("LIBSVM") }
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

    /// A bar, after nothing or after a blank or tag, and no comma before it.
    private static func isVowpalWabbit(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let bar = line.firstIndex(of: UInt8(ascii: "|")) else { return false }
        return !line[..<bar].contains(UInt8(ascii: ",")) && (bar == 0 || line[..<bar].contains(UInt8(ascii: " ")))
    }

    /// `label index:value …`, its second word a whole number, a colon and something; no comma, as after a time of day.
    private static func isLIBSVM(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        guard !line.contains(UInt8(ascii: ",")) else { return false }
        let words = line.prefix(200).split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard words.count >= 2, let colon = words[1].firstIndex(of: UInt8(ascii: ":")) else { return false }
        let index = words[1][..<colon]
        return !index.isEmpty && index.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            && colon < words[1].endIndex - 1
    }
}

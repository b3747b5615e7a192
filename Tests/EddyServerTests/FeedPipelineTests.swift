// The feed's pipeline, without sockets: what goes in, what comes back, however the bytes are cut.

import AsyncAlgorithms
import Eddy
import Foundation
import Testing

@testable import EddyServer

private func session(_ seed: UInt64 = 1) throws -> LearningSession {
    var configuration = Configuration()
    configuration.seed = seed
    return try LearningSession(configuration)
}

/// Everything that is replied to the pieces of a stream, and the session that learned it.
private func replies(
    to pieces: [some Sequence<UInt8>], style: ReplyStyle, atEnd: Bool = true
) async throws -> (text: String, session: LearningSession) {
    let session = try session()
    return (await replies(to: pieces, style: style, atEnd: atEnd, by: session), session)
}

/// The same of a session that may know something already.
func replies(
    to pieces: [some Sequence<UInt8>], style: ReplyStyle, atEnd: Bool = true, by session: LearningSession,
    source: String = "test"
) async -> String {
    let bytes = pieces.map { Array($0) }.async
    var text = ""
    for await reply in bytes.learned(by: session, FeedOptions(), from: source, isCut: { !atEnd }).replies(as: style) {
        text += String(decoding: reply, as: UTF8.self)
    }
    return text
}

private func replies(to text: String, style: ReplyStyle, atEnd: Bool = true) async throws -> String {
    try await replies(to: [Array(text.utf8)], style: style, atEnd: atEnd).text
}

private let mixed = """
    x,y,label
    1,2,a
    oops,2,a
    !ping
    3,4,b
    5,6,
    7,8
    1,2,3,4,5
    9,10,b
    !reply nonsense
    0.5,0.25,c

    """

@Test func predictions_areOneLineForEveryDataLine_inOrder() async throws {
    let lines = try await replies(to: mixed, style: .predictions).split(separator: "\n").map { String($0) }
    // Eight data lines, of which two are wrong; a pong; and an error for the directive that is none.
    #expect(lines.count == 10)
    #expect(lines[0] == "!none line=2", "nothing is known yet")
    #expect(lines[1] == "!error line=3 column=1 field=x expected=number got=\"oops\"")
    #expect(lines[2] == "!pong")
    #expect(lines[6].hasPrefix("!error line=8 expected=\"3 fields (or 2 without the label)\" got=\"5 fields\""))
    #expect(lines[8].hasPrefix("!error line=10 field=reply"))
    for index in [3, 4, 5, 7, 9] { #expect(["a", "b", "c"].contains(lines[index].split(separator: " ").first)) }
}

@Test func json_hasOneObjectForEveryDataLine_withLineStepAndId() async throws {
    let lines = try await replies(
        to: """
            {"a":1,"b":2,"label":"yes","id":"first \\"one\\""}
            {"a":1,"b":"x","label":"no"}
            {"a":1,"b":2}
            {"a":3,"b":2,"label":"no","id":7}
            """, style: .json
    ).split(separator: "\n").map { String($0) }
    #expect(lines.count == 4)
    #expect(lines[0].hasPrefix("{\"line\":1,\"id\":\"first \\\"one\\\"\",\"prediction\":null"))
    #expect(lines[0].contains("\"prediction\":null,\"loss\":0.69"))
    #expect(lines[0].hasSuffix("\"step\":1}"))
    #expect(lines[1].hasPrefix("{\"line\":2,\"column\":12,\"field\":\"b\",\"error\":{\"expected\":\"number\""))
    #expect(lines[2].hasPrefix("{\"line\":3,\"prediction\":\"yes\"") && !lines[2].contains("loss"))
    #expect(lines[3].hasPrefix("{\"line\":4,\"id\":\"7\"") && lines[3].hasSuffix("\"step\":2}"))
}

@Test func summary_tellsErrorsAndTotals() async throws {
    let lines = try await replies(to: mixed, style: .summary).split(separator: "\n")
    #expect(lines.last?.hasPrefix("!summary accepted=6 learned=4 predicted=2 rejected=2 mean_loss=") == true)
    #expect(lines.last?.contains(" unit=nats label=\"label\" most_rejected=\"1 × ") == true)
    #expect(lines.filter { $0.hasPrefix("!error") }.count == 3)
}

@Test func summary_limitsErrors_andCountsTheRest() async throws {
    let text = "1,2,a\n" + String(repeating: "bad,2,a\n", count: 5000)
    let lines = try await replies(to: text, style: .summary).split(separator: "\n")
    let told = lines.filter { $0.hasPrefix("!error") }.count
    #expect((10..<500).contains(told))
    #expect(lines.contains("!suppressed errors=\(5000 - told)"))
    #expect(lines.last?.contains("accepted=1 learned=1 predicted=0 rejected=5000") == true)
}

@Test func acks_countDataLines_andNoneSaysNothing() async throws {
    #expect(try await replies(to: mixed, style: .acks).contains("!ack 8\n"))
    #expect(try await replies(to: mixed.replacing("!ping\n", with: ""), style: .none) == "")
}

@Test func aLoneLine_isAnsweredAtOnce() async throws {
    let reply = try await replies(to: "1,2,a\n", style: .predictions, atEnd: false)
    #expect(reply == "!none line=1\n")
}

@Test func regression_isAnsweredWithAValue() async throws {
    let lines = try await replies(to: "1,2,40.5\n2,1,41.5\n", style: .predictions).split(separator: "\n")
    #expect(lines.count == 2 && lines[0] == "!none line=1" && Float(lines[1]) != nil)
}

@Test func httpRequests_areRefused_andNothingIsReadAfterThem() async throws {
    let (text, session) = try await replies(
        to: ["POST / HTTP/1.1\r\nHost: x\r\n\r\n1,2,a\n".utf8.map { $0 }], style: .predictions, atEnd: false)
    #expect(text.hasPrefix("!error this is the feed"))
    #expect(await session.sampleCounts == SampleCounts())
}

@Test(arguments: ReplyStyle.allCases)
func howeverTheBytesAreCut_repliesAndWeightsAreTheSame(_ style: ReplyStyle) async throws {
    let bytes = Array(mixed.utf8)
    let (whole, reference) = try await replies(to: [bytes], style: style)
    let hash = await reference.snapshot().parameterHash
    var random = SeededRandom(seed: 9)
    for trial in 0..<30 {
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = trial == 0 ? 1 : 1 + Int(random.next() % 30)
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        let (text, session) = try await replies(to: pieces, style: style)
        if style == .acks {  // cumulative: how often depends on the pieces, where it ends does not
            #expect(text.split(separator: "\n").last == whole.split(separator: "\n").last)
        } else {
            #expect(text == whole)
        }
        #expect(await session.snapshot().parameterHash == hash)
    }
}

/// Samples that text and binary both have to the bit: text lines, and the packed stream.
private func twoForms(_ count: Int) -> (text: [UInt8], packed: [UInt8]) {
    var random = SeededRandom(seed: 4)
    var text = ""
    var packed = Array("EDDY".utf8) + [1, 0, 1, 0, 2, 0, 0, 0]
    for index in 0..<count {
        let row = [Float(random.next() % 64) / 8 - 4, Float(random.next() % 64) / 8 - 4, Float(index % 3)]
        text += "\(row[0]),\(row[1]),\(index % 3)\n"
        for value in row { withUnsafeBytes(of: value.bitPattern.littleEndian) { packed += Array($0) } }
    }
    return (Array(text.utf8), packed)
}

@Test(arguments: [1, 7, 12, 13, 1000, 1 << 20])
func packedStream_isAnsweredAsItsLinesAre_howeverItIsCut(_ length: Int) async throws {
    let forms = twoForms(300)
    let (lines, reference) = try await replies(to: [forms.text], style: .predictions)
    let pieces = stride(from: 0, to: forms.packed.count, by: length).map { forms.packed[$0...].prefix(length) }
    let (text, session) = try await replies(to: pieces, style: .predictions)
    #expect(text == lines && lines.split(separator: "\n").count == 300)
    #expect(await session.snapshot().parameterHash == reference.snapshot().parameterHash)
}

@Test func packedStreamOfAnotherWidth_isRefused_andNothingIsReadAfterIt() async throws {
    var (text, packed) = twoForms(3)
    packed[8] = 3
    text += "!ping\n".utf8
    let session = try session()
    _ = await replies(to: [text], style: .summary, by: session)
    let reply = await replies(to: [packed, text], style: .summary, by: session, source: "other")
    #expect(reply == "!error line=1 field=inputs expected=\"2, as the samples before had\" got=\"3\"\n")
    #expect(await session.sampleCounts.accepted == 3)
}

@Test func rejectedLines_areSeenWhereTheLossesAre() async throws {
    let (_, session) = try await replies(to: [Array("1,2,a\nbad,1,a\n".utf8)], style: .summary)
    let counts = await session.sampleCounts
    #expect(counts.rejected == 1)
    #expect(counts.latestRejections.first?.source == "test")
    #expect(counts.latestRejections.first?.error.line == 2)
    #expect(await session.presentWindow()?.rejected == 1)
}

@Test func everyLoss_isWrittenAsJSON_thatReadsBackToTheBit() throws {
    struct Message: Decodable {
        let type: String
        let first: UInt64
        let values: [Float]
        let missed: UInt64
    }
    let values: [Float] = [0, 0.1, 1e-30, 12.5, 3.4e38, 1.0 / 3]
    let text = SharedMessages<LossSeries>.json(LossSeries(first: 7, values: values, missed: 2), unit: .nats)
    let message = try JSONDecoder().decode(Message.self, from: Data(text.utf8))
    #expect(message.type == "losses" && message.first == 7 && message.missed == 2 && message.values == values)
    let bits = SharedMessages<LossSeries>.json(LossSeries(first: 1, values: [0.693_147_2], missed: 0), unit: .bits)
    #expect(try JSONDecoder().decode(Message.self, from: Data(bits.utf8)).values == [1])
}

private let severalNamed = """
    {"x":1,"y":2,"label":{"price":1.5,"kind":"red"}}
    {"x":2,"y":1,"label":{"price":2.5}}
    {"x":2,"y":1,"label":{"kind":"a \\"b\\""},"id":"s7"}
    {"x":3,"y":1,"label":{"price":"dear"}}
    {"x":3,"y":1}

    """

@Test func repliesToSeveralOutputs_haveTheShapeOfTheLabels() async throws {
    let lines = try await replies(to: severalNamed, style: .json).split(separator: "\n")
    let objects = try lines.map { line in
        try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    #expect(objects.count == 5)
    #expect((objects[1]["prediction"] as? [String: Any])?["kind"] as? String == "red")
    #expect((objects[1]["prediction"] as? [String: Any])?["price"] is Double)
    #expect((objects[1]["losses"] as? [String: Any])?.keys.sorted() == ["price"])
    #expect(objects[1]["loss"] as? Double == (objects[1]["losses"] as? [String: Any])?["price"] as? Double)
    #expect((objects[0]["losses"] as? [String: Any])?.keys.sorted() == ["kind", "price"])
    #expect((objects[1]["probability"] as? [String: Any])?.keys.sorted() == ["kind"])
    #expect(objects[2]["id"] as? String == "s7" && objects[2]["step"] as? Int == 3)
    #expect(objects[3]["field"] as? String == "price" && objects[3]["error"] != nil)
    #expect(objects[4]["loss"] == nil && objects[4]["step"] == nil && objects[4]["prediction"] != nil)

    let arrays = try await replies(to: "[1,2,[1.5,\"red\"]]\n[2,1,[null,\"red\"]]\n", style: .json).split(
        separator: "\n")
    #expect(arrays[0].hasPrefix("{\"line\":1,\"prediction\":["))
    #expect(arrays[1].contains("\"losses\":[null,"))
}

@Test func predictionsOfSeveralOutputs_haveTabsBetween() async throws {
    let lines = try await replies(to: severalNamed, style: .predictions)
        .split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    #expect(lines.count == 5)
    #expect(lines[0] == "!none line=1")
    for (index, line) in lines.enumerated() where ![0, 3].contains(index) {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
        try #require(fields.count == 2 && Float(String(fields[0])) != nil)
        #expect(fields[1].hasPrefix("red ") || fields[1].hasPrefix("a \"b\" "))
    }
    #expect(lines[3].hasPrefix("!error line=4 field=price"))
    let unknown = try await replies(to: "[1,[1.5,null]]\n[2,[1.5,null]]\n", style: .predictions)
    #expect(unknown.hasPrefix("!none line=1\n") && unknown.hasSuffix("\t\n"))
}

@Test func theSummaryOfSeveralOutputs_hasALineForEach() async throws {
    let lines = try await replies(to: severalNamed, style: .summary).split(separator: "\n")
    #expect(lines[1].hasPrefix("!summary accepted=4 learned=3 predicted=1 rejected=1 mean_loss="))
    #expect(lines[1].contains(" unit=mixed label=\"price,kind\" most_rejected=\"1 × price: "))
    #expect(lines[2].hasPrefix("!output name=\"price\" learned=2 mean_loss=") && lines[2].hasSuffix(" unit=squared"))
    #expect(lines[3].hasPrefix("!output name=\"kind\" learned=2 mean_loss=") && lines[3].hasSuffix(" unit=nats"))
    #expect(lines.count == 4)
}

@Test func repliesToSeveralOutputs_areTheSameHoweverTheBytesAreCut() async throws {
    let bytes = Array(severalNamed.utf8)
    for style in [ReplyStyle.json, .predictions] {
        let whole = try await replies(to: [bytes], style: style).text
        for size in [1, 5, 64] {
            let pieces = stride(from: 0, to: bytes.count, by: size).map { bytes[$0..<min($0 + size, bytes.count)] }
            #expect(try await replies(to: pieces, style: style).text == whole)
        }
    }
}

// Every bit that streams of all kinds leave behind, pinned: a redesign must give the same, and a change of what is learned
// shows in which parts it shows.
//
// To write the fixture anew: EDDY_RECORD_GOLDEN=FILE swift test … --filter GoldenStreamTests

import Foundation
import Testing

@testable import Eddy

/// The learner and what stands before it. The one place that knows the program's interface: whoever changes that, changes
/// this.
private struct GoldenCore {
    private var core: StreamLearner
    var claim: SchemaClaim { core.schema }
    private var learner: Learner { core.learner }
    private var late: LateSamples { core.late }

    init(_ configuration: Configuration) throws { core = try StreamLearner(configuration) }

    mutating func learn(_ chunk: DecodedChunk) -> [StepChunk] { [core.learn(chunk).steps] }

    /// Goes on from a file.
    mutating func saveAndLoad(_ path: String) throws {
        try core.save(to: path)
        core = try StreamLearner.load(path)
    }

    func parts() throws -> GoldenParts {
        var parts = GoldenParts()
        try parts.set("scaler") { try $0.add(json: learner.scaler) }
        try parts.set("encoder") { try $0.add(json: learner.encoder) }
        for output in learner.outputs {
            let prefix = learner.isAlone ? "" : "\(output.name): "
            try parts.set(prefix + "drift watch") { try $0.add(json: output.drift) }
            try parts.set(prefix + "metrics") { try $0.add(json: output.metrics) }
            try parts.set(prefix + "labels") { hash in
                hash.add(output.task?.rawValue ?? "")
                for name in output.classes { hash.add(name) }
                try hash.add(json: output.head?.targets)
            }
            if let committee = output.head?.committee { try parts.add(committee, prefix: prefix) }
        }
        // Where no sample ever waited, a file does not say how many have come.
        try parts.set("waiting samples") { try $0.add(json: late.isUsed ? late : nil) }
        return parts
    }
}

@Suite struct GoldenStreamTests {
    /// Part → hash, by stream.
    typealias Fixture = [String: [String: [String: String]]]

    private static let recording = ProcessInfo.processInfo.environment["EDDY_RECORD_GOLDEN"]

    private static let pinned = Result {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/golden-streams", withExtension: "json"))
        return try JSONDecoder().decode(Fixture.self, from: Data(contentsOf: url))
    }

    /// Learns a stream from its bytes.
    ///
    /// - Parameter folder: where the learner is saved, and loaded again, in the middle; nil where it is not.
    private func learn(_ stream: GoldenStream, savingIn folder: TemporaryFolder? = nil) throws -> [String: String] {
        var core = try GoldenCore(stream.configuration)
        var decoder = SampleDecoder(label: stream.label, schema: core.claim)
        var (steps, outputs) = (GoldenSteps(), [String: GoldenSteps]())
        func learn(_ chunk: DecodedChunk) {
            for part in core.learn(chunk) {
                steps.add(part)
                for output in part.outputs { outputs[output.name, default: GoldenSteps()].add(output.steps) }
            }
        }
        let bytes = try stream.bytes()
        var rest = bytes[...]
        var isWhole = true
        while !rest.isEmpty {
            if let folder, isWhole, rest.count < bytes.count / 2 {
                try core.saveAndLoad(folder.file("model"))
                isWhole = false
            }
            var piece = rest.prefix(2048)
            rest = rest.dropFirst(piece.count)
            while !piece.isEmpty { learn(decoder.decode(&piece, limit: 50)) }
        }
        learn(decoder.finish())
        var parts = try core.parts()
        steps.write(&parts, prefix: "")
        for (name, steps) in outputs { steps.write(&parts, prefix: "\(name): ") }
        return parts.hashes
    }

    private func check(_ stream: GoldenStream, savingIn folder: TemporaryFolder? = nil) throws {
        guard GoldenStreamTests.recording == nil else { return }
        let section = stream.hasSeveralOutputs ? "several outputs" : "one output"
        let expected = try #require(try GoldenStreamTests.pinned.get()[section]?[stream.name], "not in the fixture")
        let found = try learn(stream, savingIn: folder)
        let moved = Set(expected.keys).union(found.keys).filter { expected[$0] != found[$0] }.sorted()
        #expect(moved.isEmpty, "\(stream.name): these parts have other bits")
    }

    @Test(arguments: GoldenStream.ofOneOutput)
    func aStream_leavesThePinnedBits(stream: GoldenStream) throws { try check(stream) }

    @Test(arguments: GoldenStream.ofOneOutput)
    func aStreamSavedAndLoadedInTheMiddle_leavesThePinnedBits(stream: GoldenStream) throws {
        try check(stream, savingIn: try TemporaryFolder())
    }

    @Test(arguments: GoldenStream.ofSeveralOutputs)
    func severalOutputs_leaveThePinnedBits(stream: GoldenStream) throws { try check(stream) }

    @Test(arguments: GoldenStream.ofSeveralOutputs)
    func severalOutputsSavedAndLoadedInTheMiddle_leaveThePinnedBits(stream: GoldenStream) throws {
        try check(stream, savingIn: try TemporaryFolder())
    }

    /// The streams are as eventful as their names say.
    @Test func thePinnedStreams_haveWhatTheyAreFor() throws {
        guard GoldenStreamTests.recording == nil else { return }
        let pinned = try GoldenStreamTests.pinned.get()
        let one = try #require(pinned["one output"])
        func figure(_ stream: String, _ name: String) -> Int { one[stream]?[name].flatMap { Int($0) } ?? -1 }
        #expect(figure("drift", "alarms") > 0)
        #expect(figure("drift, all reactions", "alarms") > 0)
        #expect(figure("rejections", "rejected") > 20)
        #expect(figure("fast, what the network rejects", "rejected") > 20)
        #expect(figure("late labels", "learned") > 150)
        #expect(Set(GoldenStream.ofOneOutput.map(\.name)) == Set(one.keys))
    }

    @Test(.enabled(if: recording != nil)) func record() throws {
        var fixture: Fixture = ["one output": [:], "several outputs": [:]]
        for stream in GoldenStream.ofOneOutput { fixture["one output"]![stream.name] = try learn(stream) }
        for stream in GoldenStream.ofSeveralOutputs { fixture["several outputs"]![stream.name] = try learn(stream) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(fixture).write(to: URL(fileURLWithPath: try #require(GoldenStreamTests.recording)))
    }
}

// How predictions are told and scored changes neither what is learned nor the losses.
//
// Fixtures/unchanged-bits.json was recorded before a prediction of a new class's sample was made without its label. It has
// FNV-1a hashes of all losses, and of everything that is learned: weights, optimizer state, scaler, memories and votes.
// Drift is not looked for in most of them, since detectors watch the errors, and those are honest now. The others are
// streams in which the default detector raised no alarm, before and after.

import Foundation
import Testing

@testable import Eddy

@Suite struct UnchangedBitsTests {
    struct Bits: Codable, Equatable {
        var losses: String
        var learned: String
    }

    private static let recorded: [String: Bits] = {
        guard let url = Bundle.module.url(forResource: "Fixtures/unchanged-bits", withExtension: "json"),
            let data = try? Data(contentsOf: url)
        else { return [:] }
        return (try? JSONDecoder().decode([String: Bits].self, from: data)) ?? [:]
    }()

    private static let dataSets = ["bananas", "breast_cancer", "phishing", "trump_approval"]

    private static func stream(_ name: String) throws -> SampleChunk {
        try LateClassStream(rawValue: name)?.samples() ?? samples(name)
    }

    private func hash(_ bytes: [UInt8]) -> String { String(FNV1a.hash(bytes), radix: 16) }

    private func hash(_ numbers: [Float]) -> String {
        hash(numbers.flatMap { number in withUnsafeBytes(of: number.bitPattern.littleEndian) { Array($0) } })
    }

    /// Everything that a learner has learned, without its metrics and detectors.
    private func learned(_ learner: Learner) throws -> String {
        let head = try #require(learner.head)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        let record = head.committee.record
        let parts = [try encoder.encode(record), try encoder.encode(head.targets), try encoder.encode(learner.scaler)]
        return hash(
            parts.flatMap { Array($0) }
                + Array((record.blocks.map { hash($0) } + head.classes.names).joined(separator: ",").utf8))
    }

    private func bits(_ stream: SampleChunk, _ configuration: Configuration) throws -> (bits: Bits, alarms: Int) {
        let learner = try Learner(configuration)
        let steps = learner.learn(stream)
        return (Bits(losses: hash(steps.losses), learned: try learned(learner)), steps.drifts.count)
    }

    @Test(arguments: LateClassStream.allCases.map(\.rawValue) + dataSets, [Profile.best, .fast])
    func lossesAndWeights_areThoseBeforeFiguresWereHonest(name: String, profile: Profile) throws {
        var configuration = Configuration()
        configuration.profile = profile
        configuration.drift = .off
        let (now, _) = try bits(try UnchangedBitsTests.stream(name), configuration)
        expect(now, "\(name) \(profile.rawValue)")
    }

    @Test(arguments: ["digits", "breast_cancer", "phishing"])
    func withoutAnAlarm_detectorsChangeNothing(name: String) throws {
        let (now, alarms) = try bits(try UnchangedBitsTests.stream(name), Configuration())
        #expect(alarms == 0)
        expect(now, "\(name) watched")
    }

    private func expect(_ now: Bits, _ key: String) {
        #expect(now == UnchangedBitsTests.recorded[key], "\(key)")
        guard let path = ProcessInfo.processInfo.environment["EDDY_RECORD_BITS"] else { return }
        let line = "\"\(key)\": {\"learned\": \"\(now.learned)\", \"losses\": \"\(now.losses)\"}\n"
        guard let file = fopen(path, "a") else { return }
        fputs(line, file)
        fclose(file)
    }
}

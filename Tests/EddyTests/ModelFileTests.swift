// The model file: learning on after a load gives the same bits as never having stopped, and what is no whole model
// of this version is refused with its reason.

import Foundation
import Testing

@testable import Eddy

@Suite struct ModelFileTests {
    // MARK: The same bits

    /// Streams and settings that between them use all of a learner's state.
    private func cases() throws -> [(name: String, stream: SampleChunk, configuration: Configuration)] {
        var growing = SampleChunk(inputs: 2)
        var turning = SampleChunk(inputs: 2)
        var random = TestRandom(seed: 12)
        for i in 0..<400 {
            let features: [Float] = [.random(in: -2...2, using: &random), .random(in: 0...1e4, using: &random)]
            let name = "class \(Int.random(in: 0...i / 40, using: &random)), a \"quoted\" ü"
            try growing.append(Sample(features, label: .text(name), weight: .random(in: 0...2, using: &random)))
            try turning.append(Sample(features, label: .number(i < 200 ? Float(i % 4) : features[0] * 1e5)))
        }
        var momentum = Configuration()
        momentum.hiddenLayers = [.dense(7, .tanh), .dense(5, .leakyReLU)]
        momentum.optimizer = .sgd(0.02, schedule: .exponential(halfLife: 300), momentum: 0.9, clip: 1, l2: 1e-3)
        momentum.seed = .max
        momentum.recentWindow = 37
        var huber = Configuration(layers: [.dense(6, .sigmoid), .dense(1)], loss: .huber(delta: 0.1))
        huber.initialParameters = (0..<7 * 6 + 7).map { Float($0 % 5) * 1e-3 - 1e-9 }
        var adam = Configuration()
        adam.optimizer = .adam(0.01, clip: 4, l1: 1e-4)
        var cocob = huber
        cocob.optimizer = .cocob(clip: 4)
        return [
            ("growing classes", growing, Configuration()), ("classes, then regression", turning, Configuration()),
            ("momentum, classes", growing, momentum), ("momentum, regression", try samples("trump_approval"), momentum),
            ("regression", try samples("trump_approval"), Configuration()),
            ("Huber", try samples("trump_approval"), huber), ("iris", try samples("iris"), plain(hidden: [])),
            ("Adam, classes", growing, adam), ("COCOB, regression", try samples("trump_approval"), cocob),
        ]
    }

    @Test func stoppingAndLoadingAnywhere_givesTheBitsOfNeverHavingStopped() throws {
        for (name, stream, configuration) in try cases() {
            let whole = try Learner(configuration)
            let expected = whole.learn(stream)
            let schema = Schema(names: (0..<stream.inputs).map { "input \($0)" }, label: "ü")
            for stop in [0, 1, 2, 3, 50, 99, 149, stream.count / 2, stream.count - 1, stream.count]
            where stop <= stream.count {
                let first = try Learner(configuration)
                _ = first.learn(stream[0..<stop])
                let (second, loaded) = try ModelFile.decode(try ModelFile.encode(first, schema: schema))
                #expect(loaded == schema)
                #expect(second.configuration == configuration)
                #expect(second.metrics == first.metrics && second.step == first.step && second.classes == first.classes)
                #expect(try state(second) == state(first), "\(name), loaded after \(stop)")
                let rest = second.learn(stream[stop..<stream.count])
                #expect(rest.losses.map(\.bitPattern) == expected.losses[stop...].map(\.bitPattern))
                #expect(second.network?.parameterHash == whole.network?.parameterHash)
                #expect(second.network?.smoothedGradientNorms == whole.network?.smoothedGradientNorms)
                #expect(second.metrics == whole.metrics)
                #expect(try state(second) == state(whole), "\(name), stopped after \(stop)")
            }
        }
    }

    @Test func aRelayOfLoads_oneForEachSample_givesTheSameBits() throws {
        for (_, stream, configuration) in try cases().prefix(4) {
            let whole = try Learner(configuration)
            _ = whole.learn(stream[0..<120])
            var learner = try Learner(configuration)
            for i in 0..<120 {
                _ = learner.learn(stream[i..<i + 1])
                learner = try ModelFile.decode(try ModelFile.encode(learner, schema: nil)).0
            }
            #expect(try state(learner) == state(whole))
        }
    }

    @Test func aSession_goesOnFromItsFile_withItsSchema() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("model.eddy")
        let session = try LearningSession()
        let bytes = try fixture("iris")
        let source = AsyncStream<[UInt8]>(bytes)
        for try await _ in source.samples(for: session).map(\.samples).learned(by: session) {}
        try await session.save(to: path)
        let loaded = try LearningSession.load(path)
        #expect(loaded.schema.current == session.schema.current)
        #expect(await loaded.snapshot().parameterHash == session.snapshot().parameterHash)
        let question: [Float] = [5.1, 3.5, 1.4, 0.2]
        #expect(try await loaded.predict(question) == session.predict(question))
        try await session.learn(Sample(question, label: "setosa"))
        try await loaded.learn(Sample(question, label: "setosa"))
        #expect(await loaded.snapshot().parameterHash == session.snapshot().parameterHash)
        #expect(folder.contents == ["model.eddy"], "nothing is left beside it")
    }

    // MARK: What is refused

    private func small() throws -> [UInt8] {
        var configuration = plain(hidden: [], scaling: true)
        configuration.optimizer = .sgd(0.1, momentum: 0.5)
        configuration.recentWindow = 3
        let learner = try Learner(configuration)
        for i in 0..<5 { try learner.learn([Float(i)], .number(Float(i % 2))) }
        return try ModelFile.encode(learner, schema: Schema(inputs: 1))
    }

    private func refusal(_ bytes: [UInt8]) -> String? {
        do {
            _ = try ModelFile.decode(bytes)
            return nil
        } catch let error as ModelFileError {
            return error.description
        } catch {
            return "another error: \(error)"
        }
    }

    @Test func aChangedByteAnywhere_isRefusedWithAReason() throws {
        let bytes = try small()
        #expect(refusal(bytes) == nil)
        for place in bytes.indices {
            for change in [0x01, 0x80, 0xFF] as [UInt8] {
                var damaged = bytes
                damaged[place] ^= change
                let reason = refusal(damaged) ?? ""
                let expected = place < 8 ? "not an Eddy model" : place < 12 ? "version" : "checksum"
                #expect(reason.contains(expected), "byte \(place): \(reason)")
            }
        }
    }

    @Test func aFileCutAnywhere_orWithMoreBehindIt_isRefusedWithAReason() throws {
        let bytes = try small()
        for count in 0..<bytes.count {
            let reason = refusal(Array(bytes.prefix(count))) ?? ""
            #expect(reason.contains(count < 8 ? "not an Eddy model" : "cut short"), "\(count) bytes: \(reason)")
        }
        for more in [[0], Array(bytes.suffix(8)), bytes] as [[UInt8]] { #expect(refusal(bytes + more) != nil) }
    }

    /// With a checksum that fits, as after a change by hand.
    @Test func aVersionOrArithmeticOfAnotherProgram_isNamed() throws {
        var bytes = try small()
        bytes[8] = 1
        #expect(refusal(sealed(bytes))?.contains("version is 1, and this program reads 4") == true)
        let text = String(decoding: try small(), as: UTF8.self)
        #expect(text.contains("\"arithmetic\":\(Network.arithmeticVersion)"))
        let other = try replacing("\"arithmetic\":\(Network.arithmeticVersion)", "\"arithmetic\":9", in: try small())
        #expect(refusal(other)?.contains("arithmetic 9") == true)
    }

    @Test(arguments: [
        ("\"means\":[2]", "\"means\":[2,3]"), ("\"means\":[2],\"squares\":[10]", "\"means\":[2,3],\"squares\":[1,1]"),
        ("\"outputs\":3", "\"outputs\":9"), ("\"inputs\":1", "\"inputs\":7"),
        ("\"learningRate\":0.1", "\"learningRate\":-5.0"), ("\"task\":\"classification\"", "\"task\":\"gardening\""),
    ])
    func aHeaderThatDoesNotFit_isRefused(part: String, other: String) throws {
        let bytes = try small()
        let changed = try replacing(part, other, in: bytes)
        try #require(changed != bytes)
        #expect(refusal(changed) != nil)
    }

    @Test(arguments: [
        "", "EDDYMODL", "a,b,label\n1,2,x\n", "{\"model\": 1}", "PK\u{3}\u{4}",
        "EDDYMODL" + String(repeating: "\u{0}", count: 100),
    ])
    func aForeignFile_isRefusedWithAReason(text: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("foreign")
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: ModelFileError.self) { try LearningSession.load(path) }
        #expect(error?.description.contains(path) == true)
        #expect((error?.description.count ?? 0) > path.count + 20)
    }

    @Test func aFileThatIsNotThere_isSaid() {
        let error = #expect(throws: ModelFileError.self) { try LearningSession.load("/nonexistent/model.eddy") }
        #expect(error?.description.contains("/nonexistent/model.eddy") == true)
        #expect(throws: ModelFileError.self) { try LearningSession.load("/") }
    }

    // MARK: Saving that fails

    @Test func aPathThatCannotBeWritten_isSaid() async throws {
        let session = try LearningSession()
        let folder = try TemporaryFolder()
        for path in ["/nonexistent/model.eddy", folder.path, "", folder.file(String(repeating: "n", count: 300))] {
            let error = await #expect(throws: ModelFileError.self) { try await session.save(to: path) }
            #expect(error?.description.hasPrefix("cannot save the model to \(path): ") == true)
        }
        #expect(folder.contents == [])
    }

    @Test func theOldFile_survivesASaveThatFails() async throws {
        let folder = try TemporaryFolder()
        // A name so long that what is written beside it cannot have one.
        let path = folder.file(String(repeating: "m", count: 253))
        let old = try small()
        try Data(old).write(to: URL(fileURLWithPath: path))
        let session = try LearningSession()
        await #expect(throws: ModelFileError.self) { try await session.save(to: path) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(old))
        #expect(folder.contents.count == 1)
        _ = try LearningSession.load(path)
    }

    @Test func saving_replacesTheOldFileWhole() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("model.eddy")
        try Data(repeating: 7, count: 1 << 20).write(to: URL(fileURLWithPath: path))
        let session = try LearningSession()
        try await session.learn(Sample([1, 2], label: "a"))
        try await session.save(to: path)
        #expect(try await LearningSession.load(path).snapshot().step == 1)
        try await session.learn(Sample([1, 2], label: "b"))
        try await session.save(to: path)
        #expect(try await LearningSession.load(path).snapshot().step == 2)
    }

    // MARK: Sections

    @Test func aSectionThatIsNotKnown_orMissing_orThereTwice_isNamed() throws {
        let envelope = try ModelEnvelope(try small())
        #expect(envelope.sections.map(\.name) == ["model", "encoder", "scaler", "output"])
        func refusal(_ change: (inout [ModelEnvelope.Section]) throws -> Void) rethrows -> String? {
            var changed = envelope
            try change(&changed.sections)
            return self.refusal(changed.bytes)
        }
        let future = try ModelEnvelope.Section("future", version: 1, [1, 2, 3])
        #expect(refusal { $0.append(future) }?.contains("a section future, which this program does not know") == true)
        let newer = try ModelEnvelope.Section("scaler", version: 2, [1, 2, 3])
        #expect(refusal { $0[2] = newer }?.contains("scaler has version 2, and this program reads 1") == true)
        for place in envelope.sections.indices { #expect(refusal { $0.remove(at: place) } != nil, "without \(place)") }
        for place in envelope.sections.indices { #expect(refusal { $0.append($0[place]) } != nil, "\(place) twice") }
        #expect(refusal { $0[0].blocks = [[1]] } != nil)
        #expect(refusal { $0[3].blocks.removeLast() } != nil)
        #expect(refusal { $0[3].blocks[0].removeLast() } != nil)
        #expect(refusal { _ in } == nil)
    }

    // MARK: Files of earlier releases

    /// A file of each version, made once: every later release reads it, and learns on to the same bits.
    @Test(arguments: ["v4-network", "v4-committee", "v4-outputs"])
    func aFileOfAnEarlierRelease_isLearnedOnFrom(name: String) throws {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/models/\(name)", withExtension: "eddy"))
        let (learner, schema) = try Learner.load(url.path)
        #expect(learner.step == 75)
        #expect(schema?.inputs.count == 4)
        _ = learner.learn(try ModelFileTests.irisInTurn(name)[75..<150])
        #expect(try ModelFileTests.hash(of: learner) == ModelFileTests.afterAll[name])
    }

    /// Of what is learned, after all of iris.
    private static let afterAll = [
        "v4-network": "5dcf89b0994dca4a", "v4-committee": "7c30d60fff77fc36", "v4-outputs": "fcec5581edcd7d6d",
    ]

    /// Of everything but figures.
    private static func hash(of learner: Learner) throws -> String {
        var hash = GoldenHash()
        try hash.add(json: learner.encoder)
        try hash.add(json: learner.scaler)
        for output in learner.outputs {
            var parts = GoldenParts()
            try parts.add(try #require(output.head).committee, prefix: "")
            try hash.add(json: parts.hashes)
            try hash.add(json: output.head?.targets)
        }
        return hash.hex
    }

    /// Iris with its classes mixed; for several outputs with the first feature as a second label.
    private static func irisInTurn(_ name: String) throws -> SampleChunk {
        let iris = try samples("iris")
        var chunk = SampleChunk(inputs: 4)
        for i in (0..<150).map({ $0 % 3 * 50 + $0 / 3 }) {
            let row = Array(iris.features[4 * i..<4 * i + 4])
            let further: [Label] = name == "v4-outputs" ? [.number(row[0] + 0.01)] : []
            try chunk.append(Sample(row, label: iris.labels[i], furtherLabels: further))
        }
        return chunk
    }

    /// Writes the files of the present version: EDDY_RECORD_MODELS=FOLDER.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["EDDY_RECORD_MODELS"] != nil))
    func recordModels() throws {
        let folder = try #require(ProcessInfo.processInfo.environment["EDDY_RECORD_MODELS"])
        for name in ModelFileTests.afterAll.keys.sorted() {
            var configuration = Configuration()
            if name != "v4-committee" { configuration.hiddenLayers = [.dense(8, .tanh)] }
            let learner = try Learner(configuration)
            let stream = try ModelFileTests.irisInTurn(name)
            _ = learner.learn(stream[0..<75])
            let features = ["sepal length", "sepal width", "petal length", "petal width"]
            var schema = Schema(names: features, label: "species")
            if name == "v4-outputs" { schema.furtherLabels = ["length"] }
            try learner.save(schema: schema, to: "\(folder)/\(name).eddy")
            _ = learner.learn(stream[75..<150])
            print(name, try ModelFileTests.hash(of: learner))
        }
    }
}

/// A model's bytes with the checksum that belongs to them.
func sealed(_ bytes: [UInt8]) -> [UInt8] {
    let body = bytes.dropLast(8)
    let sum = ModelEnvelope.checksum(body)
    return body + (0..<8).map { UInt8(truncatingIfNeeded: sum >> ($0 * 8)) }
}

/// A model's bytes with a part of a section's JSON replaced where it comes first; unchanged where there is none.
///
/// - Parameter section: by name; nil for any.
func replacing(_ part: String, _ other: String, in bytes: [UInt8], section: String? = nil) throws -> [UInt8] {
    var envelope = try ModelEnvelope(bytes)
    let part = Array(part.utf8)
    for i in envelope.sections.indices where section == nil || envelope.sections[i].name == section {
        let json = envelope.sections[i].json
        guard let start = json.indices.first(where: { json[$0...].starts(with: part) }) else { continue }
        envelope.sections[i].json.replaceSubrange(start..<start + part.count, with: Array(other.utf8))
        return envelope.bytes
    }
    return bytes
}

/// A folder of its own, gone with its last user.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "eddy-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
    var contents: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? ["unreadable"] }
}

extension AsyncStream where Element == [UInt8] {
    /// The bytes in one buffer.
    fileprivate init(_ bytes: [UInt8]) {
        self.init { continuation in
            continuation.yield(bytes)
            continuation.finish()
        }
    }
}

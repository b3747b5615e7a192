// Several outputs: each learns for itself, on inputs that are encoded and scaled once for all, and a sample is taken by all
// of them or by none.

import Foundation
import Testing

@testable import Eddy

/// Samples with a value, a class and a late third label, each missing now and then; classes come later.
private func mixed(_ count: Int = 600, seed: UInt64 = 5, missing: Bool = true) throws -> SampleChunk {
    var random = TestRandom(seed: seed)
    var chunk = SampleChunk(inputs: 3)
    for i in 0..<count {
        let x = (0..<3).map { _ in Float.random(in: -2...2, using: &random) }
        let value: Label = missing && random.oneIn(5) ? .none : .number(3 * x[0] - x[1] * x[1] + 10.5)
        let name = x[0] + x[2] > 0 ? "red" : i > count / 2 && x[1] > 0 ? "late \"blue\"" : "green"
        let kind: Label = missing && random.oneIn(7) ? .none : .text(name)
        let third: Label = missing && i < 40 ? .none : .number(i < 300 ? Float(i % 3) : x[2] * 1e4)
        try chunk.append(Sample(x, label: value, furtherLabels: [kind, third], weight: random.oneIn(3) ? 2 : 1))
    }
    return chunk
}

private func configurations() -> [Configuration] {
    var best = Configuration()
    best.recentWindow = 100
    var momentum = plain(hidden: [.dense(7, .tanh)], scaling: true, seed: 3)
    momentum.optimizer = .sgd(0.02, momentum: 0.9)
    var adam = plain(hidden: [], scaling: true)
    adam.optimizer = .adam(0.01)
    return [best, momentum, adam]
}

/// What an output knows but for its figures, part by part.
private func parts(_ output: LearnerOutput) throws -> [String: String] {
    var parts = GoldenParts()
    try parts.add(try #require(output.head).committee, prefix: "")
    try parts.set("drift") { try $0.add(json: output.drift) }
    try parts.set("metrics") { try $0.add(json: output.metrics) }
    return parts.hashes
}

/// The samples with the labels of one output alone.
private func alone(_ chunk: SampleChunk, _ output: Int) throws -> SampleChunk {
    var part = SampleChunk(inputs: chunk.inputs)
    for i in 0..<chunk.count {
        let x = Array(chunk.features[i * chunk.inputs..<(i + 1) * chunk.inputs])
        try part.append(
            Sample(x, label: chunk.label(i, ofOutput: output), weight: chunk.weights.isEmpty ? 1 : chunk.weights[i]))
    }
    return part
}

@Suite struct MultiOutputTests {
    /// Every sample has all its labels, or nothing is scaled: then the other outputs make no difference.
    @Test func withoutMissingLabels_eachOutputHasTheBitsOfALearnerOfItsOwn() throws {
        for configuration in configurations() { try expectBitsOfTheirOwn(try mixed(missing: false), configuration) }
        try expectBitsOfTheirOwn(try mixed(), plain(hidden: [.dense(7, .tanh)], scaling: false, seed: 3))
    }

    private func expectBitsOfTheirOwn(_ stream: SampleChunk, _ configuration: Configuration) throws {
        let learner = try Learner(configuration)
        let steps = learner.learn(stream)
        #expect(learner.outputs.map(\.task) == [.regression, .classification, .regression])
        #expect(steps.rejections.isEmpty && steps.outputs.count == 3)
        for output in 0..<3 {
            let single = try Learner(configuration.ofOutput(output))
            let expected = single.learn(try alone(stream, output))
            #expect(try parts(single.outputs[0]) == parts(learner.outputs[output]))
            let own = steps.outputs[output].steps
            #expect(own.losses.map(\.bitPattern) == expected.losses.map(\.bitPattern))
            #expect(own.targets.map(\.bitPattern) == expected.targets.map(\.bitPattern))
            #expect(own.learned == expected.learned && own.classes == expected.classes)
            #expect(own.taskBegin == expected.taskBegin && own.drifts == expected.drifts)
            // Before its first label an output knows nothing, and the sample is taken all the same.
            for i in 0..<stream.count where !expected.rejections.contains(where: { $0.index == i }) {
                #expect(own.predictions[i].bitPattern == expected.predictions[i].bitPattern)
            }
        }
    }

    /// Where labels are missing, an output sees the scale of all samples that have any label, and learns its own alone.
    @Test func theScaleOfFeatures_isSharedByTheOutputs() throws {
        let stream = try mixed()
        for configuration in configurations() {
            let learner = try Learner(configuration)
            let steps = learner.learn(stream)
            #expect(steps.rejections.isEmpty)
            let labelled = (0..<stream.count).filter(stream.isLabelled).count
            #expect(learner.scaler?.count == Double(labelled) && learner.step == UInt64(labelled))
            for (k, output) in learner.outputs.enumerated() {
                let own = (0..<stream.count).filter { stream.label($0, ofOutput: k) != .none }.count
                #expect(output.step == UInt64(own) && own < labelled)
            }
            // The features alone, with a label for each that has any.
            let all = try Learner(configuration)
            var features = SampleChunk(inputs: 3)
            for i in 0..<stream.count where stream.isLabelled(i) {
                try features.append(Sample(Array(stream.features[3 * i..<3 * i + 3]), label: 1.5))
            }
            _ = all.learn(features)
            #expect(all.scaler?.means == learner.scaler?.means && all.scaler?.squares == learner.scaler?.squares)
        }
    }

    /// Words are given inputs once, by whichever output has a label; an output that begins late has them all.
    @Test(arguments: [Profile.best, .fast])
    func aLateOutput_beginsWithAllInputs(profile: Profile) throws {
        var random = TestRandom(seed: 6)
        var configuration = Configuration()
        configuration.profile = profile
        for words in [20, 300] {
            var stream = SampleChunk(inputs: 1)
            for i in 0..<400 {
                let word = Int.random(in: 0..<words, using: &random)
                let second: Label = i < 200 ? .none : .number(Float(word % 5) + 0.5)
                let first: Label = i % 3 == 2 ? .none : .text(word % 2 == 0 ? "even" : "odd")
                try stream.append(
                    Sample([Float(i % 7)], label: first, furtherLabels: [second], terms: [Term("w\(word)")]))
            }
            let learner = try Learner(configuration)
            let steps = learner.learn(stream)
            #expect(steps.rejections.isEmpty && learner.encoder!.isSparse == (words > 128))
            #expect(Set(learner.outputs.map { $0.network!.inputs }).count == 1)
            #expect(learner.outputs.map(\.task) == [.classification, .regression])
            let parts = try Learner(configuration)
            for i in 0..<400 { _ = parts.learn(stream[i..<i + 1]) }
            #expect(try state(parts) == state(learner))
            let loaded = try ModelFile.decode(try state(learner)).0
            #expect(try state(loaded) == state(learner))
        }
    }

    @Test func theLoss_isTheMeanOverTheOutputsThatHadALabel() throws {
        let stream = try mixed(200)
        let learner = try Learner(configurations()[1])
        let steps = learner.learn(stream)
        var learned = 0
        for i in 0..<stream.count {
            let losses = steps.outputs.map { Double($0.steps.losses[i]) }.filter { !$0.isNaN }
            #expect(losses.isEmpty == steps.losses[i].isNaN)
            if losses.isEmpty { continue }
            learned += 1
            #expect(steps.losses[i] == Float(losses.reduce(0, +) / Double(losses.count)))
        }
        #expect(learned < stream.count && learned > learner.metrics.learned)
        #expect(steps.learned == learned && learner.step == UInt64(learned))
        let mean = try #require(steps.meanLoss)
        #expect(abs(try #require(learner.summary).meanLoss - mean) < 1e-9 * mean + 1e-12 || learner.summary != nil)
    }

    @Test func anySplitIntoChunks_givesTheSameBits() throws {
        let stream = try mixed()
        for configuration in configurations() {
            let whole = try Learner(configuration)
            let expected = whole.learn(stream)
            for seed in 0..<3 as Range<UInt64> {
                var random = TestRandom(seed: seed)
                let parts = try Learner(configuration)
                var losses: [Float] = []
                var drifts: [DriftAlarm] = []
                var first = 0
                while first < stream.count {
                    let end = min(stream.count, first + Int.random(in: 1...(seed == 0 ? 3 : 150), using: &random))
                    let steps = parts.learn(stream[first..<end])
                    losses += steps.losses
                    drifts += steps.drifts
                    first = end
                }
                #expect(losses.map(\.bitPattern) == expected.losses.map(\.bitPattern))
                #expect(drifts == expected.drifts)
                #expect(try state(parts) == state(whole))
            }
        }
    }

    /// The second output's rule turns round; the first's does not.
    @Test func anAlarmSaysWhichOutputItIsAbout() throws {
        var random = TestRandom(seed: 82)
        var stream = SampleChunk(inputs: 2)
        for i in 0..<4000 {
            let x: [Float] = [.random(in: -1...1, using: &random), .random(in: -1...1, using: &random)]
            let second = i < 2000 ? x[1] > 0 : random.oneIn(2)
            try stream.append(Sample(x, label: .text(x[0] > 0 ? "a" : "b"), furtherLabels: [.text(second ? "c" : "d")]))
        }
        var configuration = Configuration()
        configuration.drift = DriftDetection(in: [.errors, .features])
        let learner = try Learner(configuration)
        let alarms = learner.learn(stream).drifts
        #expect(!alarms.isEmpty && alarms.allSatisfy { $0.output == "y1" && $0.watched == .errors }, "\(alarms)")
        #expect(alarms.allSatisfy { $0.step > 2000 && $0.step < 2600 })
        #expect(alarms[0].description.contains("errors of y1 have risen"))
    }

    @Test func aSampleThatDoesNotFitAnyOutput_changesNone() throws {
        let stream = try mixed(300)
        var limited = configurations()
        for i in limited.indices { limited[i].classLimit = 3 }
        let bad = [
            Sample([1, 2, 3], label: "word", furtherLabels: ["red", 1]),  // a word for a value
            Sample([1, 2, 3], label: 1, furtherLabels: ["fourth class", 2]),
            Sample([1, 2, 3], label: 1, furtherLabels: ["red", "five"]),
            Sample([1, 2, 3], label: 3e38, furtherLabels: ["red", 1]),  // beyond a plain network
            Sample([1, 2, 3], label: 1, furtherLabels: ["late \"blue\"", 3e38]),
        ]
        for configuration in limited {
            let clean = try Learner(configuration)
            let learner = try Learner(configuration)
            var spoilt = SampleChunk(inputs: 3)
            var rows: [SampleChunk] = []
            var places: Set<Int> = []
            for i in 0..<stream.count {
                rows.append(stream[i..<i + 1])
                if i >= 250, i % 7 == 0 {
                    let sample = bad[i / 7 % bad.count]
                    if configuration.profile == .best, sample.label == 3e38 || sample.furtherLabels[1] == 3e38 {
                        continue
                    }
                    places.insert(rows.count)
                    rows.append(try SampleChunk([sample]))
                }
            }
            for row in rows {
                for i in 0..<row.count {
                    try spoilt.append(
                        Sample(
                            row.features, label: row.labels[i], furtherLabels: row.furtherLabels.map { $0[i] },
                            weight: row.weights.isEmpty ? 1 : row.weights[i]))
                }
            }
            let expected = clean.learn(stream)
            let steps = learner.learn(spoilt)
            #expect(Set(steps.rejections.map(\.index)) == places && places.count > 3)
            #expect(steps.learned == expected.learned)
            #expect(try state(learner) == state(clean))
            for (index, error) in steps.rejections {
                #expect(error.line == index + 1)
                #expect(steps.outputs.allSatisfy { $0.steps.losses[index].isNaN && $0.steps.predictions[index].isNaN })
            }
            // One by one, where each rejected sample stands alone.
            let lone = try Learner(configuration)
            for row in rows { _ = lone.learn(row) }
            #expect(try state(lone) == state(clean))
        }
    }

    @Test func theErrorNamesItsOutput() throws {
        let learner = try Learner()
        var schema = Schema(inputs: 1)
        (schema.label, schema.furtherLabels) = ("price", ["kind"])
        learner.expectedSchema = schema
        _ = learner.learn(try SampleChunk([Sample([1], label: 1.5, furtherLabels: ["red"])]))
        let steps = learner.learn(try SampleChunk([Sample([1], label: "much", furtherLabels: ["red"])]))
        #expect(steps.rejections.first?.error.field == "price")
        #expect(steps.rejections.first?.error.got == "much")
    }

    @Test func aSampleWithAnotherNumberOfLabels_isRejected_andOneWithoutIsPredicted() throws {
        for configuration in configurations() {
            let learner = try Learner(configuration)
            _ = learner.learn(try mixed(60))
            let before = try state(learner)
            let one = learner.learn(try SampleChunk([Sample([1, 2, 3], label: 1)]))
            #expect(one.rejections.first?.error.expected == "3 labels: y0, y1, y2")
            let four = learner.learn(try SampleChunk([Sample([1, 2, 3], label: 1, furtherLabels: ["red", 1, 2])]))
            #expect(four.rejections.count == 1)
            let none = learner.learn(try SampleChunk([Sample([1, 2, 3])]))
            #expect(none.rejections.isEmpty && none.predictions(at: 0).allSatisfy { $0 != nil })
            #expect(try state(learner) == before)
            let single = try Learner(configuration)
            _ = single.learn(try SampleChunk([Sample([1, 2, 3], label: 1.5)]))
            let two = single.learn(try SampleChunk([Sample([1, 2, 3], label: 1.5, furtherLabels: ["red"])]))
            #expect(two.rejections.first?.error.expected == "one label")
        }
    }

    @Test func whatOnlyOneOutputCanHave_isRefused() throws {
        var configuration = Configuration()
        configuration.classes = ["a", "b"]
        let learner = try Learner(configuration)
        let steps = learner.learn(try SampleChunk([Sample([1], label: "a", furtherLabels: ["b"])]))
        #expect(steps.rejections.first?.error.got.contains("classes given beforehand") == true)
        #expect(learner.isAlone && learner.step == 0)
    }

    // MARK: The model file

    @Test func stoppingAndLoadingAnywhere_givesTheBitsOfNeverHavingStopped() throws {
        let stream = try mixed(400)
        for configuration in configurations() {
            let whole = try Learner(configuration)
            let expected = whole.learn(stream)
            for stop in [1, 2, 39, 41, 200, 301, 400] {
                let first = try Learner(configuration)
                _ = first.learn(stream[0..<stop])
                var schema = Schema(inputs: 3)
                (schema.label, schema.furtherLabels) = ("y0", ["y1", "y2"])
                let (second, loaded) = try ModelFile.decode(try ModelFile.encode(first, schema: schema))
                #expect(loaded == schema && second.names == first.names && second.step == first.step)
                let rest = second.learn(stream[stop..<stream.count])
                #expect(rest.losses.map(\.bitPattern) == expected.losses[stop...].map(\.bitPattern))
                #expect(try state(second) == state(whole))
            }
        }
    }

    private func small() throws -> [UInt8] {
        var configuration = plain(hidden: [], scaling: true)
        configuration.recentWindow = 3
        let learner = try Learner(configuration)
        for i in 0..<5 {
            let sample = Sample([Float(i)], label: .number(Float(i % 2)), furtherLabels: [.number(Float(i) * 1.5)])
            _ = learner.learn(try SampleChunk([sample]))
        }
        return try state(learner)
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

    @Test func aDamagedFile_isRefusedWithAReason() throws {
        let bytes = try small()
        #expect(refusal(bytes) == nil)
        for place in bytes.indices {
            var damaged = bytes
            damaged[place] ^= 0x41
            let reason = try #require(refusal(damaged))
            #expect(!reason.hasPrefix("another"), "byte \(place): \(reason)")
            // With a checksum that fits: refused or read, never a crash.
            if let reason = refusal(sealed(damaged)) {
                #expect(!reason.hasPrefix("another"), "byte \(place): \(reason)")
            }
        }
        for count in 0..<bytes.count { #expect(refusal(Array(bytes.prefix(count))) != nil) }
        for more in [[0], bytes] as [[UInt8]] { #expect(refusal(bytes + more) != nil) }
    }

    @Test func outputsThatDoNotBelongTogether_areRefused() throws {
        var envelope = try ModelEnvelope(try small())
        #expect(envelope.sections.map(\.name) == ["model", "encoder", "scaler", "output", "output"])
        envelope.sections.swapAt(3, 4)
        #expect(refusal(envelope.bytes)?.contains("belong together") == true)
        envelope.sections[3] = envelope.sections[4]
        #expect(refusal(envelope.bytes)?.contains("belong together") == true)
        envelope.sections.remove(at: 3)
        #expect(refusal(envelope.bytes)?.contains("1 outputs do not fit") == true)
    }

    // MARK: A session

    @Test func aSession_hasItsOutputsByName_andGoesOnFromItsFile() async throws {
        let path = NSTemporaryDirectory() + "eddy-\(UUID().uuidString).eddy"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let session = try LearningSession(configurations()[1])
        await session.observe()
        let subscription = session.losses.makeAsyncIterator()
        let stream = try mixed(100)
        await session.learn(stream)
        #expect(await session.outputNames == ["y0", "y1", "y2"])
        let snapshot = await session.snapshot()
        #expect(snapshot.outputs?.map(\.name) == ["y0", "y1", "y2"])
        #expect(snapshot.outputs?.map(\.task) == [.regression, .classification, .classification])
        #expect(snapshot.metrics.accuracy == nil && snapshot.metrics.mae == nil)
        var windows = subscription
        let window = try #require(await windows.next())
        #expect(window.outputs == snapshot.outputs && window.step == snapshot.step)
        #expect(window.metrics.meanLoss == snapshot.metrics.meanLoss)
        #expect(session.schema.current?.labels == ["y0", "y1", "y2"])
        #expect(await session.frozen(output: "y1")?.task == .classification)
        #expect(await session.frozen(output: "y9") == nil)
        try await session.save(to: path)
        let loaded = try LearningSession.load(path)
        #expect(await loaded.step == session.step)
        await session.learn(stream)
        await loaded.learn(stream)
        #expect(await loaded.snapshot().outputs == session.snapshot().outputs)
        #expect(try Learner.load(path).learner.names == ["y0", "y1", "y2"])
    }

    @Test func aSampleInHand_isFoundByItsStep_alsoWhereTheFirstLabelIsMissing() async throws {
        let session = try LearningSession(configurations()[1])
        await session.observe()
        let stream = try mixed(300)
        let steps = await session.learn(stream).steps
        var step: UInt64 = 0
        for i in 0..<stream.count {
            if steps.losses[i].isNaN { continue }
            step += 1
            let number = step
            let found = await session.withObservations { $0.recent.sample(step: number) } ?? nil
            if steps.outputs[0].steps.losses[i].isNaN {
                #expect(found == nil)
            } else {
                #expect(found?.features == Array(stream.features[i * 3..<i * 3 + 3]))
            }
        }
        let rows = await session.withObservations { $0.history.end?.step }
        #expect(rows == step)
    }

    @Test func labelsThatComeLate_areJoinedForAllOutputs() throws {
        let learner = try Learner(configurations()[1])
        let whole = try Learner(configurations()[1])
        let stream = try mixed(80)
        var late = LateSamples()
        _ = learner.learn(stream)
        _ = whole.learn(stream)
        func learn(_ chunk: DecodedChunk) throws -> StepChunk {
            var rest = late.begin(chunk)
            let piece = try #require(late.next(of: &rest, seconds: 0))
            var steps = learner.learn(piece.samples)
            late.settle(&steps)
            #expect(late.next(of: &rest, seconds: 0) == nil)
            return steps
        }
        _ = try learn(DecodedChunk(samples: try SampleChunk([Sample([1, 2, 3], id: "a7")]), lines: [1]))
        #expect(late.waiting == 1)
        var label = DecodedChunk(samples: SampleChunk(inputs: 0))
        label.events.append(
            DecodedEvent(
                index: 0, line: 2,
                kind: .lateLabel(try LateLabel(directive: "label a7 1.5,,2", outputs: 3))))
        #expect(throws: SampleError.self) { try LateLabel(directive: "label a7 1.5", outputs: 3) }
        #expect(throws: SampleError.self) { try LateLabel(directive: "label a7 ,,", outputs: 3) }
        let steps = try learn(label)
        #expect(steps.learned == 1 && late.counts.joined == 1)
        _ = whole.learn(try SampleChunk([Sample([1, 2, 3], label: 1.5, furtherLabels: [.none, 2])]))
        #expect(try state(learner) == state(whole))
    }
}

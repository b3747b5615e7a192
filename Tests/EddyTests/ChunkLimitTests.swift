// Chunks by what learning them costs: counted, never timed.

import Testing

@testable import Eddy

@Suite struct ChunkLimitTests {
    /// Samples of so many words, the same in each.
    private func lines(_ count: Int, words: Int, label: String = "1 ", tag: (Int) -> String = { _ in "" }) -> [UInt8] {
        let features = (0..<words).map { " w\($0)" }.joined()
        return Array((0..<count).map { label + tag($0) + "|f\(features)\n" }.joined().utf8)
    }

    /// How many samples come in each chunk, and how many late labels.
    private func sizes(_ bytes: [UInt8], _ limit: ChunkLimit, _ claim: SchemaClaim = SchemaClaim()) -> [[Int]] {
        var decoder = SampleDecoder(schema: claim, lineLimit: 1 << 24)
        var rest = bytes[...]
        var sizes: [[Int]] = []
        while !rest.isEmpty {
            let chunk = decoder.decode(&rest, within: limit)
            sizes.append([chunk.samples.count, chunk.events.count])
        }
        return sizes
    }

    @Test func longSamples_endAChunkBeforeItsCount() {
        #expect(sizes(lines(5, words: 600), ChunkLimit(samples: 100, numbers: 1000)) == [[2, 0], [2, 0], [1, 0]])
        #expect(sizes(lines(5, words: 2000), ChunkLimit(samples: 100, numbers: 1000)).count == 5)
        #expect(sizes(lines(200, words: 5), ChunkLimit(samples: 100, numbers: 1000)) == [[100, 0], [100, 0]])
        let rows = Array((0..<50).map { "\($0),1,2,3,yes\n" }.joined().utf8)
        #expect(sizes(rows, ChunkLimit(samples: 100, numbers: 80)) == [[20, 0], [20, 0], [10, 0]])
        #expect(sizes(rows, ChunkLimit(samples: 15)) == [[15, 0], [15, 0], [15, 0], [5, 0]])
        #expect(ChunkLimit(samples: 100, numbers: 1000).rows(of: 300) == 4)
        #expect(ChunkLimit(samples: 100, numbers: 1000).rows(of: 5000) == 1)
    }

    @Test func lateLabels_countAsTheSamplesThatWait() {
        let labels = Array((0..<40).map { "!label a\($0) 1\n" }.joined().utf8)
        let claim = SchemaClaim(Schema(inputs: 1))
        let found = sizes(labels, ChunkLimit(samples: 100, numbers: 1000, lateLabel: 90), claim)
        #expect(found == [[0, 12], [0, 12], [0, 12], [0, 4]])
    }

    private func learn(_ bytes: [UInt8], _ session: LearningSession) async {
        var decoder = SampleDecoder(schema: session.schema, lineLimit: 1 << 24)
        var rest = bytes[...]
        while !rest.isEmpty {
            await session.learn(decoder.decode(&rest, within: session.chunkLimit))
        }
    }

    /// Twenty samples of 100,000 words once went through the learner in one go.
    @Test(arguments: Profile.allCases) func aSession_learnsLongSamplesOneByOne(profile: Profile) async throws {
        var configuration = Configuration()
        configuration.profile = profile
        let session = try LearningSession(configuration)
        let long = lines(20, words: 100_000)
        #expect(sizes(long, session.chunkLimit).allSatisfy { $0[0] == 1 })  // nothing is known yet
        await learn(lines(2, words: 50) + lines(2, words: 150, label: "2 "), session)
        let limit = session.chunkLimit
        #expect(sizes(long, limit, session.schema).allSatisfy { $0[0] == 1 })
        // Short ones still go together.
        #expect(sizes(lines(4000, words: 5), limit, session.schema).count < 100)
    }

    @Test func aSession_takesFewLateLabelsOfLongSamplesAtOnce() async throws {
        let session = try LearningSession()
        await learn(lines(2, words: 5), session)
        let labels = Array((0..<40).map { "!label a\($0) 1\n" }.joined().utf8)
        await learn(lines(8, words: 5, label: "") { "'a\($0) " }, session)
        #expect(sizes(labels, session.chunkLimit, session.schema).count < 4)
        await learn(lines(1, words: 50_000, label: "") { _ in "'long " }, session)
        #expect(sizes(labels, session.chunkLimit, session.schema).count == 40)
        await learn(Array("!label long 1\n".utf8) + labels, session)
        #expect(await session.snapshot().waiting == 0)
        #expect(sizes(labels, session.chunkLimit, session.schema).count < 4)  // none waits any more
    }
}

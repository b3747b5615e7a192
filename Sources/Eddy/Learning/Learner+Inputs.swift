// From samples to inputs: room for what is new in them, and rows or lists of numbers.

import Backprop

extension Learner {
    /// What was before inputs were added. Shape of the heads: (outputs).
    typealias Smaller = (heads: [Head?], encoder: FeatureEncoder, scaler: FeatureScaler?)

    /// Inputs for what is new in a labelled sample; returns what was before, where something changed.
    func makeRoom(for chunk: SampleChunk, _ index: Int) -> Smaller? {
        let news = roomNeeded(for: chunk, index, isLabelled: chunk.isLabelled(index), inputs: inputs!)
        guard news > 0 else { return nil }
        let before = (outputs.map(\.head), encoder!, scaler)
        enlarge(by: news)
        return before
    }

    func shrink(to smaller: Smaller) {
        for (output, head) in zip(outputs, smaller.heads) { output.head = head }
        (encoder, scaler) = (smaller.encoder, smaller.scaler)
        discoveries = []
    }

    private func enlarge(by news: Int) {
        do throws(ArchitectureError) {
            if encoder!.isBeyondRows(with: news) { try becomeSparse(with: news) }
            let width = encoder!.capacity(with: news)
            guard width > inputs! else { return }
            guard !encoder!.isSparse || !isBeyondMemory(inputs: width) else {
                return close(because: "there is memory for no more")
            }
            try changeHeads { committee throws(ArchitectureError) in try committee.widen(to: width) }
            scaler?.widen(to: width)
        } catch { close(because: error.description) }
    }

    /// Changes the committee of every head, or none where one cannot be changed.
    private func changeHeads(
        _ change: (inout Committee) throws(ArchitectureError) -> Void
    ) throws(ArchitectureError) {
        var heads = outputs.map(\.head)
        for k in heads.indices where heads[k] != nil { try change(&heads[k]!.committee) }
        for (output, head) in zip(outputs, heads) { output.head = head }
    }

    /// Leaves it at the inputs that there are: terms that come share them.
    private func close(because reason: String) {
        encoder!.close(at: inputs!)
        discoveries.append(
            "from sample \(step + 1) on new terms share the \(encoder!.limit) inputs beside the columns: \(reason)")
    }

    /// Whether so many inputs of lists are more than there is memory for, with the networks and counts of all outputs.
    ///
    /// - Parameters:
    ///   - growing: an output that is to have so many classes, one in reserve included.
    func isBeyondMemory(inputs: Int, growing: LearnerOutput? = nil, to classes: Int = 0) -> Bool {
        let perInput = outputs.reduce(0) { sum, output in
            sum + (output.head?.committee.numbersPerInput(outputs: output === growing ? classes : 0) ?? 0)
        }
        return inputs * perInput > Committee.numberLimit
    }

    /// From whole rows to lists.
    private func becomeSparse(with news: Int) throws(ArchitectureError) {
        var (encoder, scaler) = (encoder!, scaler)
        encoder.becomeSparse()
        let width = max(encoder.capacity(with: news), inputs!)
        scaler?.becomeSparse(columns: encoder.columns)
        scaler?.widen(to: width)
        var heads = outputs.map(\.head)
        for k in heads.indices {
            guard let head = heads[k] else { continue }
            if head.committee.isAlone {
                try heads[k]!.committee.widen(to: width)
            } else {
                heads[k]!.committee = try head.committee.sparse(
                    columns: encoder.columns, inputs: width,
                    classes: head.task == .regression ? 0 : max(2, head.classes.names.count),
                    isBalanced: configuration.balance && head.task == .classification, scaler: scaler!)
            }
        }
        for (output, head) in zip(outputs, heads) { output.head = head }
        (self.encoder, self.scaler) = (encoder, scaler)
        discoveries.append(
            "more than \(FeatureEncoder.denseLimit) terms at sample \(step + 1): samples are lists of what they have"
                + newCommittees)
    }

    /// What learns lists, in words; nothing where networks learn alone, which stay.
    private var newCommittees: String {
        let all = outputs.compactMap(\.head).filter { !$0.committee.isAlone }.map(\.committee.names)
        let told = all.map { ", and a committee of \($0.count) learns them: " + $0.joined(separator: "; ") }
        return Set(told).count == 1 ? told[0] : told.joined()
    }

    /// The inputs that a sample needs beyond those given out, where they ask for another shape; else 0.
    private func roomNeeded(for chunk: SampleChunk, _ index: Int, isLabelled: Bool, inputs: Int) -> Int {
        guard isLabelled else { return 0 }
        let encoder = encoder!
        // As many as it could need at most, before anything is looked up.
        let most = encoder.columns + chunk.terms.range(of: index).count
        guard encoder.width + most > inputs || encoder.isBeyondRows(with: most) else { return 0 }
        let news = encoder.news(in: chunk, index)
        return news > 0 && (encoder.width + news > inputs || encoder.isBeyondRows(with: news)) ? news : 0
    }

    /// Writes samples as the networks' inputs, up to one that needs more room; returns how many.
    ///
    /// - Parameter labelled: NaN for a sample without any label. Shape: (count).
    func encode(
        _ chunk: SampleChunk, _ first: Int, _ count: Int, labelled: UnsafePointer<Float>, _ buffers: RunSamples
    ) -> Int {
        let inputs = inputs!
        let names = expectedSchema?.inputs ?? []
        buffers.hasGaps = false
        buffers.lists.removeAll()
        for i in 0..<count {
            let isLabelled = !labelled[i].isNaN
            // What found no room at the beginning of a run finds none here.
            if i > 0, roomNeeded(for: chunk, first + i, isLabelled: isLabelled, inputs: inputs) > 0 { return i }
            if encoder!.isSparse {
                encoder!.encode(
                    chunk, first + i, isLabelled: isLabelled, columnNames: names, into: buffers.lists, room: inputs)
            } else if encoder!.encode(
                chunk, first + i, isLabelled: isLabelled, columnNames: names, into: buffers.encoded + i * inputs,
                room: inputs)
            {
                buffers.hasGaps = true
            }
        }
        return count
    }
}

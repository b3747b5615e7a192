// From samples to inputs: room for what is new in them, and rows or lists of numbers.

import Backprop

extension Learner {
    /// What was before inputs were added.
    typealias Smaller = (head: Head, encoder: FeatureEncoder, scaler: FeatureScaler?)

    /// Inputs for what is new in a labelled sample; returns what was before, where something changed.
    func makeRoom(for chunk: SampleChunk, _ index: Int) -> Smaller? {
        let news = roomNeeded(for: chunk, index)
        guard news > 0 else { return nil }
        let before = (head!, encoder!, scaler)
        enlarge(by: news)
        return before
    }

    private func enlarge(by news: Int) {
        do throws(ArchitectureError) {
            if encoder!.isBeyondRows(with: news) { try becomeSparse(with: news) }
            let width = encoder!.capacity(with: news)
            guard width > head!.network.inputs else { return }
            var wider = head!
            guard !encoder!.isSparse || !wider.committee.isBeyondMemory(inputs: width) else {
                return close(because: "there is memory for no more")
            }
            try wider.committee.widen(to: width)
            head = wider
            scaler?.widen(to: width)
        } catch { close(because: error.description) }
    }

    /// Leaves it at the inputs that there are: terms that come share them.
    private func close(because reason: String) {
        encoder!.close(at: head!.network.inputs)
        discoveries.append(
            "from sample \(step + 1) on new terms share the \(encoder!.limit) inputs beside the columns: \(reason)")
    }

    /// From whole rows to lists.
    private func becomeSparse(with news: Int) throws(ArchitectureError) {
        var (encoder, head, scaler) = (encoder!, head!, scaler)
        encoder.becomeSparse()
        let width = max(encoder.capacity(with: news), head.network.inputs)
        scaler?.becomeSparse(columns: encoder.columns)
        if head.committee.isAlone {
            try head.committee.widen(to: width)
            scaler?.widen(to: width)
        } else {
            scaler!.widen(to: width)
            head.committee = try head.committee.sparse(
                columns: encoder.columns, inputs: width,
                classes: head.task == .regression ? 0 : max(2, head.classes.names.count),
                isBalanced: configuration.balance && head.task == .classification, scaler: scaler!)
        }
        (self.encoder, self.head, self.scaler) = (encoder, head, scaler)
        let experts = head.committee.names
        discoveries.append(
            "more than \(FeatureEncoder.denseLimit) terms at sample \(step + 1): samples are lists of what they have"
                + (head.committee.isAlone ? "" : ", and a committee of \(experts.count) learns them: ")
                + (head.committee.isAlone ? "" : experts.joined(separator: "; ")))
    }

    /// The inputs that a sample needs beyond those given out, where they ask for another shape; else 0.
    private func roomNeeded(for chunk: SampleChunk, _ index: Int) -> Int {
        let (encoder, inputs) = (encoder!, head!.network.inputs)
        if case .none = chunk.labels[index] { return 0 }
        // As many as it could need at most, before anything is looked up.
        let most = encoder.columns + chunk.terms.range(of: index).count
        guard encoder.width + most > inputs || encoder.isBeyondRows(with: most) else { return 0 }
        let news = encoder.news(in: chunk, index)
        return news > 0 && (encoder.width + news > inputs || encoder.isBeyondRows(with: news)) ? news : 0
    }

    /// Writes samples as the network's inputs, up to one that needs more room; returns how many.
    func encode(_ chunk: SampleChunk, _ first: Int, _ count: Int, _ buffers: RunBuffers) -> Int {
        let inputs = head!.network.inputs
        let names = expectedSchema?.inputs ?? []
        buffers.hasGaps = false
        buffers.lists.removeAll()
        for i in 0..<count {
            // What found no room at the beginning of a run finds none here.
            if i > 0, roomNeeded(for: chunk, first + i) > 0 { return i }
            let isLabelled = !buffers.targets[i].isNaN
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

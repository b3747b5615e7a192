// From whole rows to lists of terms, once a stream turns out to have many.

import Backprop

extension Committee {
    /// The committee for lists, of so many inputs: it learns what the old one remembers as if it came now.
    ///
    /// - Parameters:
    ///   - columns: inputs before the terms.
    ///   - classes: that are known; 0 for values.
    ///   - isBalanced: whether classes are balanced.
    ///   - scaler: for lists already. What is learned again does not count for it twice.
    func sparse(
        columns: Int, inputs: Int, classes: Int, isBalanced: Bool, scaler: FeatureScaler
    ) throws(ArchitectureError) -> Committee {
        guard let others else { return self }
        var committee = try Committee(
            task: others.task, inputs: inputs, outputs: leader.outputs, seed: seed, columns: columns)
        // Of the networks there is one in both: 32 ReLU units with Adam.
        committee.racers[1].network = try racers[1].network.widened(to: inputs)

        let recent = others.recent.sparse(columns: columns)
        let rows = SparseBuffer()
        let numbers = AlignedBuffer(count: recent.count * (4 + leader.outputs))
        let (targets, weights) = (numbers.floats, numbers.floats + recent.count)
        let (balances, losses) = (weights + recent.count, weights + 2 * recent.count)
        for (i, place) in recent.order.enumerated() {
            let row = recent.row(place)
            rows.append(like: row).update(from: row.values, count: row.count)
            (targets[i], weights[i], balances[i]) = (
                recent.targets[place], recent.weights[place], recent.balances[place]
            )
        }
        var scaler = scaler
        let samples = RunSamples(stride: 0, columns: columns, count: 0)
        var done = 0
        while done < recent.count {
            let chunk = CommitteeChunk(
                count: min(recent.count - done, committee.prepareRun()!), rows: .lists(rows, from: done),
                targets: targets + done, weights: weights + done,
                balances: isBalanced ? UnsafePointer(balances + done) : nil, classes: classes,
                predictions: losses + recent.count, losses: losses)
            samples.begin()
            committee.beginRun(samples)
            for i in 0..<chunk.count {
                let sample = samples.append(chunk.rows[i], isLabelled: !chunk.targets[i].isNaN, &scaler)
                committee.prepare(i, sample, chunk, scaler)
            }
            committee.finishRun(chunk)
            done += chunk.count
        }
        withExtendedLifetime(numbers) {}
        committee.others!.reservoir = others.reservoir.sparse(columns: columns)
        return committee
    }
}

// Everything of a committee that affects the future, as values: for the model file, and for copies that answer questions.

import Backprop

/// A committee in values. The numbers of which there are many stand apart, in blocks.
struct CommitteeRecord: Sendable, Codable {
    struct RacerRecord: Sendable, Codable {
        var step: UInt64
        var gradientNorms: [Float]
    }

    struct OthersRecord: Sendable, Codable {
        var bayes: NaiveBayes?
        var leastSquares: LeastSquares?
        var levels: [LeastSquares]
        var forest: Forest.Record?
        var logistic: LogisticRegression?
        var classVote: ClassVote
        var valueVote: ValueVote
        var values: ValueScale
        var leader: Int
        var reservoirSeen: UInt64
        var recentSeen: UInt64
        /// The columns before a list's terms; nil for whole rows.
        var columns: Int?
        var terms: TermsRecord?
    }

    struct TermsRecord: Sendable, Codable {
        var samples: [Float]
        var totals: [Float]
        var known: Float
    }

    var inputs: Int
    var outputs: Int
    var loss: Loss
    var racers: [RacerRecord]
    var others: OthersRecord?
    /// Of each network its parameters and each block of its optimizer's state; then what the memories hold, the trees
    /// and the counts of terms.
    var blocks: [[Float]] = []

    private enum CodingKeys: CodingKey { case inputs, outputs, loss, racers, others }
}

extension Committee {
    var record: CommitteeRecord {
        var record = CommitteeRecord(
            inputs: leader.inputs, outputs: leader.outputs, loss: leader.loss,
            racers: racers.map { .init(step: $0.network.step, gradientNorms: $0.network.smoothedGradientNorms) })
        record.blocks = racers.flatMap { [$0.network.flatParameters] + $0.network.flatState }
        if let others {
            record.others = .init(
                bayes: others.bayes, leastSquares: others.leastSquares, levels: others.levels,
                forest: others.forest?.record, logistic: others.logistic, classVote: others.classVote,
                valueVote: others.valueVote, values: others.values, leader: others.leader,
                reservoirSeen: others.reservoir.seen, recentSeen: others.recent.seen,
                columns: others.isSparse ? others.columns : nil,
                terms: others.terms.map { .init(samples: $0.samples, totals: $0.totals, known: $0.known) })
            record.blocks += [others.reservoir.contents, others.recent.contents]
            if let forest = others.forest { record.blocks.append(forest.contents) }
            if let terms = others.terms { record.blocks.append(terms.counts) }
        }
        return record
    }

    /// A committee of its own.
    ///
    /// - Parameter classes: how many are known.
    /// - Throws: ``ArchitectureError`` where the record cannot be one of such a configuration's.
    init(
        _ record: CommitteeRecord, task: LearningTask, classes: Int, _ configuration: Configuration
    ) throws(ArchitectureError) {
        let misfit = ArchitectureError("its numbers do not fit its layers")
        if configuration.profile == .best {
            let columns = record.others?.columns
            guard (0...record.inputs).contains(columns ?? 0) else { throw misfit }
            try self.init(
                task: task, inputs: record.inputs, outputs: record.outputs, seed: configuration.seed, columns: columns)
        } else {
            self.init(
                try configuration.network(inputs: record.inputs, outputs: record.outputs, loss: record.loss))
        }
        let isCommittee = configuration.profile == .best
        guard !isCommittee || record.outputs == 1 || (task == .classification && record.outputs >= max(2, classes)),
            !isCommittee || record.outputs > 1 || task == .regression
        else { throw misfit }
        guard record.racers.count == racers.count, (record.others == nil) == (others == nil) else { throw misfit }
        var blocks = record.blocks[...]
        for (racer, saved) in zip(racers, record.racers) {
            let network = racer.network
            let own = blocks.prefix(1 + network.stateBlocks)
            blocks = blocks.dropFirst(own.count)
            guard own.count == 1 + network.stateBlocks, own.allSatisfy({ $0.count == network.parameterCount }),
                saved.gradientNorms.count == network.layers.count
            else { throw misfit }
            network.flatParameters = own.first!
            network.flatState = Array(own.dropFirst())
            network.restore(step: saved.step, gradientNorms: saved.gradientNorms)
        }
        if let saved = record.others {
            guard others!.restore(saved, classes: classes, racers.indices, record.inputs, Array(blocks)) else {
                throw misfit
            }
        }
    }
}

extension Committee.Others {
    /// - Returns: whether the record could be one.
    fileprivate mutating func restore(
        _ saved: CommitteeRecord.OthersRecord, classes: Int, _ racers: Range<Int>, _ inputs: Int, _ blocks: [[Float]]
    ) -> Bool {
        guard blocks.count == 2 + (forest == nil ? 0 : 1) + (terms == nil ? 0 : 1),
            (saved.terms == nil) == (terms == nil), (saved.forest == nil) == (forest == nil)
        else { return false }
        let experts = racers.count + count
        let outputs = saved.leastSquares?.outputs ?? leastSquares?.outputs ?? .max
        let isTarget: (Float) -> Bool = { [task] target in
            task == .regression ? target.isFinite : target >= 0 && target < 65_536 && Int(target) < classes
        }
        let squares = [saved.leastSquares].compactMap { $0 } + saved.levels
        guard racers.contains(saved.leader),
            reservoir.restore(blocks[0], seen: saved.reservoirSeen, columns: columns, inputs: inputs, where: isTarget),
            recent.restore(blocks[1], seen: saved.recentSeen, columns: columns, inputs: inputs, where: isTarget),
            (saved.bayes == nil) == (bayes == nil), saved.bayes?.inputs == bayes?.inputs,
            saved.bayes?.isSound(outputs: classes) ?? true, (saved.leastSquares == nil) == (leastSquares == nil),
            saved.levels.count == levels.count, squares.allSatisfy({ $0.inputs == columns }),
            saved.leastSquares?.outputs == leastSquares?.outputs, outputs >= classes,
            (saved.logistic == nil) == (logistic == nil),
            saved.logistic?.isSound(inputs: columns, classes: max(classes, 2)) ?? true,
            saved.forest.map({ forest!.restore($0, blocks[2], classes: classes) }) ?? true,
            saved.classVote.isSound(experts: experts), saved.valueVote.isSound(experts: experts)
        else { return false }
        if let record = saved.terms {
            terms = TermBayes(
                samples: record.samples, totals: record.totals, known: record.known, counts: blocks.last!,
                inputs: inputs - columns)
            guard terms != nil else { return false }
        }
        (bayes, leastSquares, levels, logistic) = (saved.bayes, saved.leastSquares, saved.levels, saved.logistic)
        (classVote, valueVote, values) = (saved.classVote, saved.valueVote, saved.values)
        leader = saved.leader
        neighbours?.restore(recent)
        return true
    }
}

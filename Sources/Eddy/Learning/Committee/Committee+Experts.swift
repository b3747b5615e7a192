// What a committee does with a sample before and after its networks have their turn.
//
// Before: the experts that are no networks answer and learn the sample, and it is laid out for the networks with the past
// samples that follow it. After: the votes on it are counted, and how well each expert did is remembered.

import Backprop

extension Committee {
    /// Beyond this a sample counts no more: sums of weights, and of their squares, have to stay finite.
    static let weightLimit: Float = 1e9
}

extension Committee.Others {
    // MARK: Before the networks

    /// Asks the experts that are no networks about a sample and lets them learn, and lays out what the networks learn.
    mutating func prepare(
        _ i: Int, _ sample: ScaledSample, _ chunk: CommitteeChunk, _ run: CommitteeRun, first: Int, seed: UInt64,
        _ scaler: FeatureScaler
    ) {
        let (row, z, scale) = (sample.row, sample.scaled, sample.scale)
        let target = chunk.targets[i]
        let weight = min(chunk.weights?[i] ?? 1, Committee.weightLimit)
        let isLabelled = !target.isNaN

        run.orders[0].places[i] = run.add(0, target, weight)
        leastSquares?.take(z, scale)
        for level in levels.indices { levels[level].take(z, scale) }
        let outlook = values.outlook(base: task == .regression ? leastSquares?.output(0) : nil)
        run.outlooks[i] = outlook
        let lesson = task == .regression ? outlook.winsorised(target) : target
        ask(i, row, z, chunk, run, scale, first: first)
        if isLabelled { learn(row, z, lesson, chunk, scale, outlook, weight: chunk.balances?[i] ?? 1) }

        let own = inUnits(lesson, base: outlook.base)
        run.orders[0].targets[run.orders[0].places[i]] = own
        var random = SeededRandom(seed: seed, stream: recent.seen)
        for order in 1..<max(run.orders.count, 1) {
            let rehearsal = run.orders[order].rehearsal
            run.orders[order].places[i] = run.orders[order].count
            run.append(order, like: row, own, weight).update(from: z, count: row.count)
            guard isLabelled else { continue }
            let memory = rehearsal.memory == .recent ? recent : reservoir
            for _ in 0..<rehearsal.replays {
                guard let place = memory.draw(&random, newest: replayLimit) else { break }
                let past = memory.row(place)
                let again = run.append(order, like: past, 0, memory.weights[place])
                scaler.scale(past, factors: scale.factors, into: again)
                var base = outlook.base
                if let leastSquares, task == .regression { base = leastSquares.value(again, scale) }
                run.orders[order].targets[run.orders[order].count - 1] = inUnits(memory.targets[place], base: base)
            }
        }
        guard isLabelled else { return }
        let balance = chunk.balances?[i] ?? 1
        reservoir.insert(row, target: lesson, weight: weight, balance: balance, &random)
        if let place = recent.insert(row, target: lesson, weight: weight, balance: balance, &random) {
            neighbours?.insert(row.values, target: lesson, at: place)
        }
        forest?.learn(lesson, weight: weight, recent, reservoir, classes: chunk.classes, seed: seed)
        logistic?.learn(from: recent, reservoir, scale, classes: chunk.classes)
    }

    /// A target as networks see it: a class, or how far a value lies from its base; NaN where the unit is not known yet.
    private func inUnits(_ target: Float, base: Double) -> Float {
        guard task == .regression, !target.isNaN else { return target }
        return values.unit > 0 ? Float.clamped((Double(target) - base) / values.unit) : .nan
    }

    /// What neighbours, counts, least squares and trees say of a sample.
    private mutating func ask(
        _ i: Int, _ row: SampleRow, _ z: UnsafePointer<Float>, _ chunk: CommitteeChunk, _ run: CommitteeRun,
        _ scale: FeatureScale, first: Int
    ) {
        var expert = first
        func next() -> UnsafeMutablePointer<Float> {
            defer { expert += 1 }
            return run.opinion(expert, i)
        }
        let (classes, outputs) = (chunk.classes, run.outputs)
        if neighbours != nil {
            neighbours!.find(row.values, factors: scale.factors)
            for nearest in [neighbours!.ofLong, neighbours!.ofShort] {
                if task == .classification {
                    let weights = chunk.balances == nil ? nil : recent.balances
                    neighbours!.vote(nearest, classes: classes, outputs: outputs, weights: weights, into: next())
                } else {
                    let outlook = run.outlooks[i]
                    next()[0] = outlook.bounded(outlook.base + residual(nearest, scale, base: outlook.base))
                }
            }
        }
        if let bayes { bayes.predict(z, classes: classes, outputs: outputs, into: next()) }
        if let terms { terms.predict(row, columns: columns, classes: classes, outputs: outputs, into: next()) }
        if let leastSquares {
            let opinion = next()
            if task == .classification {
                Committee.Others.probabilities(leastSquares, classes: classes, outputs: outputs, into: opinion)
            } else {
                opinion[0] = run.outlooks[i].bounded(leastSquares.output(0))
            }
        }
        for level in levels { next()[0] = run.outlooks[i].bounded(level.output(0)) }
        if forest != nil {
            forest!.take(row.values)
            let opinion = next()
            if task == .classification {
                forest!.predict(classes: classes, outputs: outputs, into: opinion)
            } else {
                opinion[0] = run.outlooks[i].bounded(forest!.value ?? run.outlooks[i].base)
            }
        }
        logistic?.predict(row.values, classes: classes, outputs: outputs, into: next())
    }

    /// How far the neighbours lie from what least squares say of them, on the mean, and a little less: as if there were
    /// half a neighbour more, without any difference.
    private func residual(
        _ nearest: Nearest, _ scale: FeatureScale, base: Double
    ) -> Double {
        let neighbours = neighbours!
        var sum = 0.0
        for place in nearest.found {
            var value = base
            if let leastSquares { value = leastSquares.value({ neighbours.feature($0, of: place) }, scale) }
            sum += Double(neighbours.target(of: place)) - value
        }
        return sum / (Double(nearest.found.count) + Double(NearestNeighbours.smoothing))
    }

    /// Least squares of ones and zeros as probabilities.
    private static func probabilities(
        _ squares: LeastSquares, classes: Int, outputs: Int, into p: UnsafeMutablePointer<Float>
    ) {
        var sum: Float = 0
        for k in 0..<outputs {
            p[k] = k < classes ? Elementary.exp(min(max(Float(4 * squares.output(k)), -60), 60)) : 0
            sum += p[k]
        }
        for k in 0..<classes { p[k] /= sum }
    }

    /// Learns a sample that is in hand (see ``LeastSquares/take(_:_:)``).
    private mutating func learn(
        _ row: SampleRow, _ z: UnsafePointer<Float>, _ target: Float, _ chunk: CommitteeChunk, _ scale: FeatureScale,
        _ outlook: Outlook, weight: Float
    ) {
        if task == .classification {
            let (label, classes) = (Int(target), chunk.classes)
            bayes?.learn(z, label, weight: weight)
            terms?.learn(row, columns: columns, label, weight: weight)
            let rest = 0.02 / Double(classes)
            leastSquares?.learn(scale, weight: weight) { k in k >= classes ? 0 : rest + (k == label ? 0.98 : 0) }
        } else {
            values.learn(Double(target), outlook)
            leastSquares?.learn(scale) { _ in Double(target) }
            for level in levels.indices { levels[level].learn(scale) { _ in Double(target) } }
        }
    }

    // MARK: After the networks

    /// Counts the votes on a sample, scores the answer, and remembers how well each expert did.
    mutating func decide(_ i: Int, _ chunk: CommitteeChunk, _ run: CommitteeRun, racers: Int) {
        let target = chunk.targets[i]
        let answer = chunk.predictions + i * run.outputs
        chunk.losses[i] = .nan
        if task == .classification {
            for k in 0..<run.outputs { answer[k] = 0 }
            let size = run.samples * run.outputs
            classVote.decide(run.opinion(0, i), stride: size, classes: chunk.classes, into: answer)
            guard !target.isNaN else { return }
            chunk.losses[i] = -Elementary.log(answer[Int(target)])
            classVote.learn(Int(target), classes: chunk.classes, weight: chunk.balances?[i] ?? 1)
            let sums = classVote.sums
            leader = newLeader(racers) { classVote.weight(of: $0, sums) }
        } else {
            let opinion = { Double(run.opinion($0, i)[0]) }
            answer[0] = Float.clamped(valueVote.decide(opinion))
            guard !target.isNaN else { return }
            let error = Double(answer[0]) - Double(target)
            chunk.losses[i] = Float.clamped(error * error)
            let outlook = run.outlooks[i]
            valueVote.learn(Double(outlook.winsorised(target)), deviation: outlook.deviation, opinion)
            leader = newLeader(racers) { valueVote.weights[$0] }
        }
    }

    /// Another network leads once its word weighs half as much again.
    private func newLeader(_ racers: Int, _ weight: (Int) -> Float) -> Int {
        var (first, highest) = (leader, weight(leader))
        for i in 0..<racers where weight(i) > 1.5 * highest { (first, highest) = (i, weight(i)) }
        return first
    }
}

extension Float {
    /// The nearest Float that is finite.
    @inline(__always)
    static func clamped(_ value: Double) -> Float {
        let bound = Double(Float.greatestFiniteMagnitude)
        return Float(Swift.min(Swift.max(value, -bound), bound))
    }
}

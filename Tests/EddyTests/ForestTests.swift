import Testing

@testable import Backprop
@testable import Eddy

@Suite struct ForestTests {
    /// A forest that has learned samples in order, as a committee lets it.
    private struct Grove {
        var forest: Forest
        let recent: ReplayMemory
        let reservoir: ReplayMemory
        let classes: Int
        var random = SeededRandom(seed: 5)

        init(inputs: Int, classes: Int) {
            recent = ReplayMemory(.recent, inputs: inputs)
            reservoir = ReplayMemory(.reservoir, inputs: inputs)
            forest = Forest(inputs: inputs, capacity: recent.capacity, isValue: classes == 0)
            self.classes = classes
        }

        mutating func learn(_ x: [Float], _ target: Float, weight: Float = 1) {
            forest.take(x)
            x.asRow {
                reservoir.insert($0, target: target, weight: weight, &random)
                recent.insert($0, target: target, weight: weight, &random)
            }
            forest.learn(target, weight: weight, recent, reservoir, classes: classes, seed: 3)
        }

        mutating func value(_ x: [Float]) -> Double? {
            forest.take(x)
            return forest.value
        }

        mutating func shares(_ x: [Float], outputs: Int? = nil) -> [Float] {
            var p = [Float](repeating: .nan, count: outputs ?? classes)
            forest.take(x)
            forest.predict(classes: classes, outputs: p.count, into: &p)
            return p
        }
    }

    /// Steps of two features among five that say nothing, whatever their scale.
    @Test func stepsOfValues_areFound() throws {
        var random = TestRandom(seed: 31)
        var grove = Grove(inputs: 7, classes: 0)
        func sample() -> ([Float], Float) {
            let x = (0..<7).map { Float.random(in: -1...1, using: &random) * ($0 == 1 ? 1e6 : 1) }
            return (x, (x[0] > 0.2 ? 40 : 10) + (x[1] > -3e5 ? 5 : 0) + 1e5)
        }
        #expect(grove.value(sample().0) == nil)
        for _ in 0..<1500 {
            let (x, y) = sample()
            grove.learn(x, y)
        }
        var error = 0.0
        for _ in 0..<200 {
            let (x, y) = sample()
            error += abs(grove.value(x)! - Double(y)) / 200
        }
        // The mean alone is off by 15.
        #expect(error < 2, "\(error)")
    }

    @Test func aChessboardOfClasses_isFound_andMissingIsAValue() throws {
        var random = TestRandom(seed: 32)
        var grove = Grove(inputs: 3, classes: 3)
        func sample() -> ([Float], Float) {
            let x = (0..<3).map { _ in Float.random(in: 0...4, using: &random) }
            if random.oneIn(5) { return ([.nan, x[1], x[2]], 2) }
            return (x, (Int(x[0]) + Int(x[1])) % 2 == 0 ? 0 : 1)
        }
        for _ in 0..<1000 {
            let (x, label) = sample()
            grove.learn(x, label)
        }
        var right = 0
        for _ in 0..<300 {
            let (x, label) = sample()
            let shares = grove.shares(x, outputs: 8)
            #expect(abs(shares.reduce(0, +) - 1) < 1e-5 && shares[3...].allSatisfy { $0 == 0 })
            if shares.indices.max(by: { shares[$0] < shares[$1] }) == Int(label) { right += 1 }
        }
        #expect(right > 255, "\(right) of 300")
    }

    /// More classes than a leaf tells apart, and than have a sum of their own.
    @Test func manyClasses_areTold() throws {
        var random = TestRandom(seed: 33)
        var grove = Grove(inputs: 2, classes: 100)
        for _ in 0..<2000 {
            let x: [Float] = [.random(in: 0...100, using: &random), .random(in: 0...1, using: &random)]
            grove.learn(x, x[0].rounded(.down).clamped(to: 0...99))
        }
        let near = (0..<100).filter { label in
            let shares = grove.shares([Float(label) + 0.5, 0.5])
            #expect(abs(shares.reduce(0, +) - 1) < 1e-4)
            return abs(shares.indices.max { shares[$0] < shares[$1] }! - label) <= 1
        }
        #expect(near.count > 90, "\(near.count)")
    }

    @Test func whatNeverVaries_isNotSplit() throws {
        var grove = Grove(inputs: 2, classes: 2)
        for i in 0..<50 { grove.learn([7, .nan], Float(i % 2)) }
        #expect(grove.forest.trees.count == Forest.trees)
        #expect(grove.forest.trees.allSatisfy { $0.nodes.count == 1 && $0.leaves[0] > 10 })
        #expect(grove.shares([7, .nan])[0].distance(to: 0.5).magnitude < 0.05)
    }

    /// What comes after a tree was grown is counted at its leaf.
    @Test func leavesLearn() throws {
        var grove = Grove(inputs: 1, classes: 2)
        for i in 0..<400 { grove.learn([7], Float(i % 2)) }
        let before = grove.forest.trees.map { $0.leaves[0] }
        grove.learn([7], 0)
        let counted = zip(grove.forest.trees, before).filter { $0.0.leaves[0] == $0.1 + 1 }
        // All but the one that was grown anew, if one was.
        #expect(counted.count >= Forest.trees - 1)
    }

    /// The same splits in any unit: far beyond and far below where squares of Floats end.
    @Test(arguments: [Float(1e30), 1e-30])
    func theUnitOfValues_doesNotMatter(unit: Float) throws {
        var random = TestRandom(seed: 37)
        var (plain, scaled) = (Grove(inputs: 3, classes: 0), Grove(inputs: 3, classes: 0))
        var errors = (0.0, 0.0)
        for i in 0..<600 {
            let x = (0..<3).map { _ in Float.random(in: -1...1, using: &random) }
            let y: Float = x[1] > 0.3 ? 3 : -1
            if i > 300 {
                errors.0 += abs(plain.value(x)! - Double(y))
                errors.1 += abs(scaled.value(x)! / Double(unit) - Double(y))
            }
            plain.learn(x, y)
            scaled.learn(x, y * unit)
        }
        #expect(abs(errors.1 / errors.0 - 1) < 0.05, "\(errors)")
    }

    /// Samples that weigh nothing do not make a tree say 0.
    @Test func weightsOfNothing_leaveTheNewestValue() {
        var tree = RandomTree(isValue: true)
        let leaf = tree.addLeaf()
        tree.learn(1000, weight: 0, at: leaf)
        #expect(tree.leaves[1] == 1000)
        tree.learn(-3e38, weight: 1, at: leaf)
        tree.learn(3e38, weight: 1, at: leaf)
        #expect(abs(tree.leaves[1]) < 1e32)
    }

    /// A weight counts as so many samples.
    @Test func weights_count() throws {
        var grove = Grove(inputs: 1, classes: 2)
        for i in 0..<100 { grove.learn([1], Float(i % 2), weight: i % 2 == 0 ? 3 : 1) }
        #expect(abs(grove.shares([1])[0] - 0.75) < 0.03)
    }

    // MARK: Kernels

    @Test func allKernels_judgeSplitsAlike() throws {
        var random = TestRandom(seed: 34)
        let (rows, inputs) = (200, 5)
        let x = (0..<rows * inputs).map { _ in
            random.oneIn(20) ? Float.nan : Float.random(in: -1...1, using: &random)
        }
        let order = (0..<150).map { _ in Int32.random(in: 0..<Int32(rows), using: &random) }
        let features = (0..<16).map { _ in Int32.random(in: 0..<Int32(inputs), using: &random) }
        var thresholds = (0..<16).map { _ in Float.random(in: -1...1, using: &random) }
        (thresholds[3], thresholds[4]) = (.infinity, .nan)
        let sums = (0..<rows).map { _ in Int32.random(in: 0..<3, using: &random) }
        let amounts = (0..<rows).map { _ in Float.random(in: 0...2, using: &random) }
        let values = (0..<rows).map { _ in Float.random(in: -9...9, using: &random) }
        for values in [nil, values] {
            let own = values == nil ? sums : sums.map { _ in 0 }
            let all = Kernels.available.map { kernels in
                let left = AlignedBuffer(count: 48)
                kernels.splits(
                    of: x, inputs: inputs, order: order, count: order.count, features: features,
                    thresholds: thresholds, sums: own, amounts: amounts, values: values, into: left)
                return (0..<48).map { left.floats[$0].bitPattern }
            }
            #expect(Set(all).count == 1)
            // Against sums taken one split at a time.
            for k in 0..<16 {
                var sum: Float = 0
                for row in order.map(Int.init) where x[row * inputs + Int(features[k])] < thresholds[k] {
                    if own[row] == 0 { sum += amounts[row] }
                }
                #expect(Float(bitPattern: all[0][k]) == sum)
            }
        }
    }

    @Test func allKernels_growTheSameTrees() throws {
        let contents = Kernels.available.map { kernels in
            var random = TestRandom(seed: 35)
            var grove = Grove(inputs: 4, classes: 3)
            grove.forest.grower.kernels = kernels
            for _ in 0..<300 {
                let x = (0..<4).map { _ in Float.random(in: 0...1, using: &random) }
                grove.learn(x, Float(Int(x[0] * 2) + Int(x[2] * x[1] * 2)))
            }
            return grove.forest.contents.map(\.bitPattern)
        }
        #expect(Set(contents).count == 1)
    }

    // MARK: In the model file

    @Test func aSavedTree_isTheSame_andADamagedOneIsRefused() throws {
        var random = TestRandom(seed: 36)
        var grove = Grove(inputs: 2, classes: 3)
        for _ in 0..<60 {
            let x = (0..<2).map { _ in Float.random(in: 0...1, using: &random) }
            grove.learn(x, Float(Int(x[0] * 3)))
        }
        var other = Forest(inputs: 2, capacity: 1000, isValue: false)
        let isRestored = other.restore(grove.forest.record, grove.forest.contents, classes: 3)
        #expect(isRestored)
        #expect(other.contents == grove.forest.contents)

        let tree = grove.forest.trees[0]
        var sound: [Float] = []
        tree.append(to: &sound)
        #expect(sound.count == tree.length)
        let firstLeaf = 1 + 3 * tree.nodes.count
        func read(_ contents: [Float], classes: Int = 3) -> RandomTree? {
            RandomTree(contents[...], isValue: false, inputs: 2, classes: classes)
        }
        #expect(read(sound)?.leaves == tree.leaves && read(sound)?.nodes.count == tree.nodes.count)
        for (place, number) in [
            (0, 0), (0, 1e9), (0, .nan), (1, 2), (1, -2), (1, 0.5), (2, .nan), (3, 0), (3, 1e7),
            (3, Float(tree.nodes.count - 1)), (firstLeaf, -1), (firstLeaf, .nan), (firstLeaf + 1, 3),
            (firstLeaf + 1, 0.5), (firstLeaf + 2, .infinity),
        ] as [(Int, Float)] {
            var damaged = sound
            damaged[place] = number
            #expect(read(damaged) == nil, "\(number) at \(place)")
        }
        #expect(read(Array(sound.dropLast())) == nil && read([]) == nil && read([1]) == nil)
        #expect(read(sound, classes: 1) == nil)
    }
}

extension Float {
    fileprivate func clamped(to range: ClosedRange<Float>) -> Float {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}

// The model file: everything that affects the future, so that learning on gives the same bits as never having stopped.
//
// Sections in an envelope (ModelEnvelope.swift), in this order:
//
//     model       arithmetic, configuration, schema, the outputs' names, the mean losses of several outputs
//     encoder     what each input stands for; absent before the first label, as is the next
//     scaler      the features' means and deviations, where features are scaled
//     output      one for each, in their order: task, classes, networks or committee, figures, watch for drift. Its blocks
//                 are of each network its parameters (of each layer W (outputs, inputs) row-major, then b) and each block of
//                 its optimizer's state in the same order; then, of a committee, what its memories hold
//     waiting     samples that wait for their labels: what decides which labels find their sample decides what is learned.
//                 Absent of a stream without late labels

import Backprop
import Foundation

enum ModelFile {
    /// The newest version of each section that is read. All are written as this.
    private enum SectionName: String, CaseIterable {
        case model, encoder, scaler, output, waiting

        var version: UInt16 { 1 }

        func section(_ value: some Encodable, blocks: [[Float]] = []) throws -> ModelEnvelope.Section {
            try ModelEnvelope.Section(rawValue, version: version, value, blocks: blocks)
        }
    }

    private struct ModelRecord: Codable {
        var arithmetic: Int
        var configuration: Configuration
        var schema: Schema?
        var outputs: [String]
        /// Of several outputs.
        var joint: Metrics?
    }

    private struct OutputRecord: Codable {
        var name: String
        /// Nil before the first label.
        var head: HeadRecord?
        var metrics: Metrics
        var drift: DriftWatch
    }

    private struct HeadRecord: Codable {
        var task: LearningTask
        var classes: ClassTable
        var targets: RunningMoments
        var committee: CommitteeRecord
    }

    // MARK: Saving

    static func encode(_ learner: Learner, schema: Schema?, waiting late: LateSamples? = nil) throws -> [UInt8] {
        var sections = [
            try SectionName.model.section(
                ModelRecord(
                    arithmetic: Network.arithmeticVersion, configuration: learner.configuration, schema: schema,
                    outputs: learner.names, joint: learner.isAlone ? nil : learner.joint))
        ]
        if let encoder = learner.encoder { sections.append(try SectionName.encoder.section(encoder)) }
        if let scaler = learner.scaler { sections.append(try SectionName.scaler.section(scaler)) }
        for output in learner.outputs {
            let committee = output.head?.committee.record
            let head = output.head.map { head in
                HeadRecord(task: head.task, classes: head.classes, targets: head.targets, committee: committee!)
            }
            sections.append(
                try SectionName.output.section(
                    OutputRecord(
                        name: output.name, head: head, metrics: output.metrics, drift: output.drift),
                    blocks: committee?.blocks ?? []))
        }
        if let late, late.isUsed { sections.append(try SectionName.waiting.section(late)) }
        return ModelEnvelope(sections).bytes
    }

    // MARK: Loading

    static func decode(_ bytes: [UInt8]) throws -> (Learner, Schema?) {
        let (learner, schema, _) = try decodeAll(bytes)
        return (learner, schema)
    }

    /// The same with the samples that wait for their labels.
    static func decodeAll(_ bytes: [UInt8]) throws -> (learner: Learner, schema: Schema?, late: LateSamples?) {
        let sections = try sections(of: ModelEnvelope(bytes))
        guard let first = sections[.model]?.first else { throw ModelFileError(description: "it has no section model") }
        let model = try first.value(as: ModelRecord.self)
        guard model.arithmetic == Network.arithmeticVersion else {
            throw ModelFileError(
                description: "it was learned with arithmetic \(model.arithmetic), and this program has "
                    + "\(Network.arithmeticVersion): the same bits could not follow")
        }
        let outputs = sections[.output] ?? []
        guard (1...SampleChunk.outputLimit).contains(outputs.count), model.outputs.count == outputs.count,
            (model.joint == nil) == (outputs.count == 1), model.joint?.isSound ?? true,
            model.joint.map({ $0.learned < 1 << 62 }) ?? true,
            outputs.count == 1 || model.schema.map({ $0.labels.count == outputs.count }) ?? true
        else { throw ModelFileError(description: "its \(outputs.count) outputs do not fit its header") }
        let encoder = try sections[.encoder]?.first?.value(as: FeatureEncoder.self)
        let scaler = try sections[.scaler]?.first?.value(as: FeatureScaler.self)
        let late = try sections[.waiting]?.first?.value(as: LateSamples.self)
        do {
            let learner = try Learner(model.configuration)
            let read = try zip(outputs, model.outputs).enumerated().map { k, pair in
                let (section, name) = pair
                let output = LearnerOutput(model.configuration.ofOutput(k), name: name)
                try restore(output, section, encoder, scaler)
                return output
            }
            let isBegun = read.contains { $0.head != nil }
            guard isBegun == (encoder != nil), isBegun || scaler == nil,
                Set(read.compactMap { $0.head?.network.inputs }).count < 2
            else { throw ModelFileError(description: "its outputs do not belong together") }
            learner.restore(encoder: encoder, scaler: scaler, outputs: read, joint: model.joint)
            learner.expectedSchema = model.schema
            return (learner, model.schema, late)
        } catch let error as ArchitectureError {
            throw ModelFileError(description: error.description)
        }
    }

    /// The sections by name, all known; only outputs come more than once.
    private static func sections(of envelope: ModelEnvelope) throws -> [SectionName: [ModelEnvelope.Section]] {
        var sections: [SectionName: [ModelEnvelope.Section]] = [:]
        for section in envelope.sections {
            guard let name = SectionName(rawValue: section.name) else {
                throw ModelFileError(
                    description: "it has a section \(section.name), which this program does not know: use the release "
                        + "that wrote it")
            }
            guard (1...name.version).contains(section.version) else {
                throw ModelFileError(
                    description: "its section \(name) has version \(section.version), and this program reads "
                        + "\(name.version): use the release that wrote it")
            }
            guard name == .output || sections[name] == nil else {
                throw ModelFileError(description: "it has two sections \(name)")
            }
            guard name == .output || section.blocks.isEmpty else {
                throw ModelFileError(description: "its section \(name) has blocks of numbers, and should have none")
            }
            sections[name, default: []].append(section)
        }
        return sections
    }

    private static func restore(
        _ output: LearnerOutput, _ section: ModelEnvelope.Section, _ encoder: FeatureEncoder?, _ scaler: FeatureScaler?
    ) throws {
        let record = try section.value(as: OutputRecord.self)
        let configuration = output.configuration
        guard record.metrics.isSound, record.metrics.learned < 1 << 62, record.head?.classes.isSound ?? true else {
            throw ModelFileError(description: "its section \(section.name) does not make sense: figures that cannot be")
        }
        guard record.name == output.name else {
            throw ModelFileError(description: "its outputs do not belong together")
        }
        output.metrics = record.metrics
        if let saved = record.head {
            let head = try head(saved, section.blocks, configuration, encoder, scaler)
            output.restore(head, columns: encoder!.columns, metrics: record.metrics)
        } else if !section.blocks.isEmpty {
            throw ModelFileError(description: "an output without a head has \(section.blocks.count) blocks of numbers")
        }
        guard
            record.drift.isSound(
                for: configuration.driftDetection, columns: record.head.map { _ in encoder!.columns },
                step: record.metrics.learned)
        else { throw ModelFileError(description: "its watch for drift does not fit its settings") }
        output.drift = record.drift
    }

    private static func head(
        _ record: HeadRecord, _ blocks: [[Float]], _ configuration: Configuration, _ encoder: FeatureEncoder?,
        _ scaler: FeatureScaler?
    ) throws -> Head {
        var saved = record.committee
        saved.blocks = blocks
        guard scaler.map({ $0.inputs == saved.inputs }) ?? (configuration.profile == .fast), let encoder,
            encoder.isSound(inputs: saved.inputs), (scaler != nil) == configuration.scaling
        else { throw ModelFileError(description: "its features do not fit its layers") }
        let (isSparse, columns) = (encoder.isSparse, encoder.columns)
        guard scaler.map({ $0.isSparse == isSparse && (!isSparse || $0.centred == columns) }) ?? true,
            configuration.profile == .fast || saved.others?.columns == (isSparse ? columns : nil)
        else { throw ModelFileError(description: "its columns do not fit its terms") }
        return Head(
            task: record.task, classes: record.classes,
            committee: try Committee(
                saved, task: record.task, classes: record.classes.names.count, configuration),
            targets: record.targets)
    }
}

extension Learner {
    /// A learner that goes on where a saved one stopped, to the bit, and its schema.
    ///
    /// - Throws: ``ModelFileError`` with the reason.
    public static func load(_ path: String) throws -> (learner: Learner, schema: Schema?) {
        try ModelEnvelope.read(path, ModelFile.decode)
    }

    /// Writes everything that affects the future to a file, whole or not at all.
    ///
    /// - Throws: ``ModelFileError`` with the reason; a file that was there before is then unchanged.
    public func save(schema: Schema?, to path: String) throws {
        try ModelEnvelope.write(try ModelFile.encode(self, schema: schema), to: path)
    }

    /// The same as ``load(_:)``, with the samples that wait for their labels.
    package static func loadAll(
        _ path: String
    ) throws -> (learner: Learner, schema: Schema?, late: LateSamples) {
        let (learner, schema, late) = try ModelEnvelope.read(path, ModelFile.decodeAll)
        return (learner, schema, late ?? LateSamples())
    }

    /// The same as ``save(schema:to:)``, with the samples that wait for their labels.
    package func save(schema: Schema?, waiting late: LateSamples, to path: String) throws {
        try ModelEnvelope.write(try ModelFile.encode(self, schema: schema, waiting: late), to: path)
    }
}

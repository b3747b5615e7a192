// What the model is: everything that was found out or given, and where it can be followed.

import { leadingNetwork, votes } from "./committee.js";
import { finite, make, rebuild, several, whole } from "./format.js";
import { createPanel } from "./panel.js";

export class ModelView {
    constructor(app) {
        this.app = app;
        this.panel = createPanel({ id: "model", title: "Model", view: this });
        this.list = make("dl", "facts wide");
        this.panel.body.append(this.list);
    }

    update() {
        this.panel.setEmpty(this.app.model ? null : "The server has not yet said what it learns.");
        rebuild(this.list, Object.entries(this.facts()).filter(([, value]) => value != null && value !== ""),
            ([name, value]) => [make("dt", "", name), make("dd", "", value)]);
        const { started } = this.app.model ?? {};
        this.panel.setNote(started ? `Serving since ${new Date(1000 * started).toLocaleString("en")}` : "");
    }

    /** Name and value; numbers as `write` writes them. */
    facts(write = whole) {
        const { model, state } = this.app;
        if (!model) return {};
        const { task, classes, inputs, label, scaling, parameters, loss, optimizer, seed, feed } = model;
        const { drift, driftDetection: watching, collisions } = model;
        const layers = this.app.latest.layers?.layers ?? model.layers;
        const committee = votes(this.app);
        const leader = leadingNetwork(committee);  // of whom layers and parameters are; its name tells the optimizer
        const unknown = "not known yet";
        const units = ({ shape, activation }) => `${whole(shape[1])} ${activation}`;
        const kind = (output) => `${output.name} (${output.task ?? unknown})`;
        const listed = (names, count = names.length) => `${whole(count)}: ${names.slice(0, 8).join(", ")}`
            + (count > 8 ? ` and ${whole(count - 8)} more` : "");
        return {
            Task: task ?? unknown,
            Step: write(state.step),
            Inputs: inputs ? listed(inputs, layers?.[0]?.shape[0]) : unknown,
            Classes: classes?.length && !state.isRegression ? listed(classes) : null,
            Label: state.outputs ? null : label,
            Outputs: state.outputs && `${state.outputs.map(kind).join(", ")}; pictures and samples are of the first`,
            Committee: committee && `${whole(committee.length)} experts, see Race`,
            "Leading network": leader?.name,
            Layers: layers?.length ? [layers[0].shape[0], ...layers.map(units)].join(" → ") : unknown,
            Parameters: finite(parameters) ? write(parameters) : null,
            Hash: model.parameterHash,
            Loss: loss,
            Optimizer: leader ? null : optimizer,
            Scaling: scaling ? "inputs standardised online" : "none",
            Drift: drift && `${several(drift.alarms, "change")} of the stream, the last at sample ${write(drift.step)}`
                + ` (${drift.column ?? drift.watched}, by ${drift.detector})`,
            "Watched for drift": watching && `${watching.on.join(", ")}, by ${watching.detector}`
                + (watching.unwatched ? `; but ${watching.unwatched}` : ""),
            Collisions: collisions ? `${several(collisions, "term")} sharing an input with another` : null,
            Seed: seed,
            Feed: feed ? `${feed.host}:${feed.port}` : null,
        };
    }

    table() {
        const facts = Object.entries(this.facts(Number)).filter(([, value]) => value != null);
        return { columns: ["fact", "value"], rows: facts };
    }

    data() { return this.app.model; }
}

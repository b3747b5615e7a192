// Which sample the network is explained on: the newest, one by its step, or one typed in.
//
// The choice is a text, as it stands in the page's address: "last", "step:512", or "features:5.1,3.5,1.4,0.2" with
// ":label=setosa" behind it where there is one. The form is a table of small fields, one an input, filled with the
// sample last shown, so that one input can be changed and its effect seen. Deliberately not here: more than 64 fields.

import { make, number, put, rebuild } from "./format.js";

const mostFields = 64;

/** The text of a choice → the query of /explain. */
export function query(choice) {
    if (choice.startsWith("step:")) return `step=${choice.slice(5)}`;
    if (!choice.startsWith("features:")) return "sample=last";
    const [features, label] = choice.slice(9).split(":label=");
    return `features=${encodeURIComponent(features)}${label ? `&label=${encodeURIComponent(label)}` : ""}`;
}

export class SampleChoice {
    /** @param on `choose(text)`, `refresh()`; `group` a name for the radio buttons */
    constructor(on, group) {
        this.on = on;
        this.choice = "last";
        const radios = [["last", "Newest"], ["step", "By step"], ["features", "Typed"]];
        this.radios = new Map(radios.map(([value, word]) => {
            const input = make("input", "offscreen");
            Object.assign(input, { type: "radio", name: group, value });
            input.addEventListener("change", () => this.opened(value));
            return [value, { input, label: make("label", "", input, word) }];
        }));
        const legend = make("legend", "offscreen", "Sample");
        this.root = make("fieldset", "switch", legend, ...[...this.radios.values()].map(({ label }) => label));

        this.step = make("input", "step-field");
        Object.assign(this.step, { type: "number", min: 1, placeholder: "step", ariaLabel: "Step of the sample" });
        this.step.addEventListener("change",
            () => { if (this.step.value) this.choose(`step:${Math.round(this.step.value)}`); });
        this.losses = make("div", "chips");
        this.byStep = make("div", "choice", make("label", "note", "Step ", this.step),
            make("span", "note", "or of the largest recent losses:"), this.losses);

        this.fields = make("div", "fields");
        this.label = make("input", "");
        Object.assign(this.label, { type: "text", ariaLabel: "Label, optional", placeholder: "none" });
        this.classes = make("datalist", "");
        this.classes.id = `${group}-classes`;
        this.label.setAttribute("list", this.classes.id);
        this.says = make("p", "note");
        const submit = make("button", "", "Explain");
        submit.type = "submit";
        this.form = make("form", "choice typed", this.fields,
            make("label", "label-field", "label (optional)", this.label), this.classes, submit, this.says);
        this.form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
        this.drawer = make("div", "", this.byStep, this.form);
        this.set("last");
    }

    get kind() { return this.choice.split(":")[0]; }

    /** Shows a choice, without telling about it. */
    set(choice) {
        this.choice = choice;
        this.showDrawer(this.kind);
        if (this.kind === "step") this.step.value = choice.slice(5);
    }

    choose(choice) {
        this.set(choice);
        this.on.choose(choice);
    }

    showDrawer(kind) {
        this.radios.get(kind).input.checked = true;
        this.byStep.hidden = kind !== "step";
        this.form.hidden = kind !== "features";
    }

    /** A switch was turned: the newest is a choice by itself; the others wait for a step or for features. */
    opened(kind) {
        if (kind === "last") return this.choose("last");
        this.showDrawer(kind);
        const step = this.shownStep ?? this.largest?.[0]?.step;
        if (kind === "step" && step) this.choose(`step:${step}`);
        if (kind === "features") this.fill(this.shown);
        this.on.refresh();
    }

    submit() {
        const values = [...this.fields.querySelectorAll("input")].map((field) => field.value.trim().replace(",", "."));
        const wrong = values.findIndex((value) => value === "" || !Number.isFinite(Number(value)));
        put(this.says, wrong < 0 ? "" : `${this.names[wrong]}: expected a number`);
        if (wrong >= 0) return this.fields.querySelectorAll("input")[wrong].focus();
        const label = this.label.value.trim();
        this.choose(`features:${values.join(",")}${label ? `:label=${label}` : ""}`);
    }

    /** After an answer: what the drawers offer next. */
    follow(answer, largestLosses, classes) {
        this.shown = answer ?? this.shown;
        this.largest = largestLosses;
        this.shownStep = this.shown?.sample.step ?? null;
        rebuild(this.losses, (largestLosses ?? []).slice(0, 8).map(({ step, loss, label }) => [step, loss, label]),
            ([step, loss, label]) => {
            const chip = make("button", "quiet chip", `${step}`, make("small", "", ` ${label}, ${number(loss)}`));
            Object.assign(chip, { type: "button", title: `Explain the sample of step ${step}, loss ${number(loss)}` });
            chip.addEventListener("click", () => this.choose(`step:${step}`));
            return chip;
        });
        rebuild(this.classes, classes ?? [], (name) => {
            const option = make("option", "");
            option.value = name;
            return option;
        });
        if (this.shown && this.names?.length !== this.shown.sample.features.length) this.fill(this.shown);
    }

    fill(answer) {
        if (!answer) return;
        const { features, label } = answer.sample;
        this.names = features.map((_, index) => answer.inputs?.[index] ?? `input ${index + 1}`);
        this.form.querySelector("[type=submit]").hidden = features.length > mostFields;
        if (features.length > mostFields) {
            this.fields.replaceChildren();
            return put(this.says, `${features.length} inputs are too many to type here; choose a sample by its step.`);
        }
        this.fields.replaceChildren(...features.map((value, index) => {
            const field = make("input", "");
            Object.assign(field, { type: "text", inputMode: "decimal", value: String(value) });
            return make("label", "", this.names[index], field);
        }));
        this.label.value = label === null ? "" : String(label);
    }
}

// The frame about every view: heading with its unit, a place for controls, warning, empty state, and under it the
// data themselves as a table, CSV, JSON and PNG.
//
// A view hands over its values (`table()`, `data()`, `canvas()`) and the panel does the rest, so every view offers
// the same in the same place. The table is a real one, beside the drawing, for whoever cannot see or point at that.

import { make, put, several, whole } from "./format.js";
import { csv, download, picture } from "./export.js";

const shownRows = 500;

export function createPanel({ id, title, units = "", help = "", view }) {
    const titleText = make("span", "", title);
    const unitsText = make("small", "units", units);
    const heading = make("h2", "", titleText, unitsText);
    heading.id = `${id}-title`;
    const tools = make("div", "tools");
    const warning = make("p", "warning");
    warning.role = "status";
    const body = make("div", "panel-body");
    const empty = make("p", "panel-empty note");
    const note = make("p", "note");
    const menu = make("div", "menu");
    menu.role = "group";
    menu.ariaLabel = `The data of ${title}`;
    const foot = make("footer", "bar panel-foot", note, menu);
    const section = make("section", "panel", make("header", "bar", heading, tools), warning, empty, body, foot);
    Object.assign(section, { id, tabIndex: -1 });
    section.setAttribute("aria-labelledby", heading.id);
    warning.hidden = empty.hidden = true;

    if (help) heading.append(helpButton(id, help, section));
    const table = tableOf(view, title, section);
    const name = () => `eddy-${id}-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}`;
    const png = button("PNG", "Download what is drawn as a picture", () => picture(view.canvas(), {
        name: name(), title: `${titleText.textContent}${unitsText.textContent && `, ${unitsText.textContent}`}`,
    }));
    if (view.table) {
        menu.append(table.button,
            button("CSV", "Download the table, all rows, every digit", () => {
                download(`${name()}.csv`, "text/csv", csv(view.table()));
            }));
    }
    if (view.data) {
        menu.append(button("JSON", "Download the data, every digit", () => {
            download(`${name()}.json`, "application/json", JSON.stringify(view.data(), null, 1));
        }));
    }
    if (view.canvas) menu.append(png);
    png.hidden = true;  // until something is drawn

    return {
        section, body, tools,
        setTitle(text) { put(titleText, text); },
        setUnits(text) { put(unitsText, text); },
        setNote(text) { put(note, text); },
        setWarning(text) { warning.hidden = !text; put(warning, text ?? ""); },
        /** What to do when there is nothing to see; null: there is. */
        setEmpty(text) {
            put(empty, text ?? "");
            empty.hidden = !text;
            body.hidden = Boolean(text);
            menu.hidden = Boolean(text);
        },
        /** After the view has drawn: an open table follows, a picture is offered when there is one. */
        drawn(now) {
            if (view.canvas) png.hidden = !view.canvas();
            table.follow(now);
        },
    };
}

function button(text, title, act) {
    const node = make("button", "quiet", text);
    Object.assign(node, { type: "button", title });
    node.addEventListener("click", act);
    return node;
}

function helpButton(id, help, section) {
    const words = make("p", "note help");
    words.id = `${id}-help`;
    words.textContent = help;
    words.hidden = true;
    section.firstElementChild.after(words);
    const ask = button("?", "What this shows and how to use it", () => {
        words.hidden = !words.hidden;
        ask.ariaExpanded = String(!words.hidden);
    });
    ask.classList.add("ask");
    ask.ariaLabel = "Help";
    ask.ariaExpanded = "false";
    ask.setAttribute("aria-controls", words.id);
    return ask;
}

/** The button that opens the table, and the table, which is built only while it is open. */
function tableOf(view, title, section) {
    const room = make("div", "data-table");
    Object.assign(room, { tabIndex: 0, role: "region", ariaLabel: `Table: ${title}`, hidden: true });
    section.append(room);
    let filledAt = -Infinity;

    const fill = () => {
        const { columns, rows } = view.table();
        const caption = make("caption", "", rows.length > shownRows
            ? `The first ${shownRows} of ${whole(rows.length)} rows; CSV has them all.` : several(rows.length, "row"));
        const head = make("tr", "", ...columns.map((column) => {
            const cell = make("th", "", column);
            cell.scope = "col";
            return cell;
        }));
        const lines = rows.slice(0, shownRows)
            .map((row) => make("tr", "", ...row.map((value) => make("td", "", value == null ? "–" : String(value)))));
        const { scrollTop, scrollLeft } = room;
        room.replaceChildren(make("table", "", caption, make("thead", "", head), make("tbody", "", ...lines)));
        Object.assign(room, { scrollTop, scrollLeft });
    };
    const open = button("Table", "The same data as a table", () => {
        room.hidden = !room.hidden;
        open.ariaExpanded = String(!room.hidden);
        if (!room.hidden) fill();
        else room.replaceChildren();
    });
    open.ariaExpanded = "false";
    return {
        button: open,
        /** Not under a reader's hands: while the table has the focus or the pointer, it stays as it is. */
        follow(now) {
            if (room.hidden || now - filledAt < 2000 || room.matches(":hover, :focus, :focus-within")) return;
            filledAt = now;
            fill();
        },
    };
}

// Taking the data along: CSV, JSON and PNG, made in the page, at full precision.
//
// Numbers are written as JavaScript writes them, which is the shortest text that reads back to the same bits.

import { make } from "./format.js";
import { color, font } from "./theme.js";

/** RFC 4180: commas, CRLF, and quotes where a cell needs them; null and what is not finite is an empty cell. */
export function csv({ columns, rows }) {
    const cell = (value) => {
        if (value == null || (typeof value === "number" && !Number.isFinite(value))) return "";
        // A text from the stream that a spreadsheet would take for a formula is led by an apostrophe.
        const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) && !Number.isFinite(Number(value))
            ? `'${value}` : String(value);
        return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** Hands a text or a blob to the reader as a file. */
export function download(name, type, content) {
    const address = URL.createObjectURL(new Blob([content], { type }));
    const link = make("a", "");
    Object.assign(link, { href: address, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A canvas as it stands, on the page's surface and under its title, in device pixels. */
export function picture(canvas, { name, title }) {
    const density = window.devicePixelRatio;
    const [margin, head] = [16 * density, 34 * density];
    const sheet = make("canvas", "");
    Object.assign(sheet, { width: canvas.width + 2 * margin, height: canvas.height + head + 2 * margin });
    const context = sheet.getContext("2d");
    context.fillStyle = color("surface");
    context.fillRect(0, 0, sheet.width, sheet.height);
    context.drawImage(canvas, margin, margin + head);
    context.scale(density, density);
    context.fillStyle = color("ink");
    context.font = font(15, 600);
    context.fillText(title, 16, 32);
    const words = context.measureText(title).width;
    context.font = font(12);
    context.fillStyle = color("quiet");
    const date = new Date().toISOString().replace("T", " ").slice(0, 19);
    const [width, label] = [sheet.width / density, `Eddy, ${date} UTC`];
    if (width - 48 - words > context.measureText(label).width) {
        context.textAlign = "right";
        context.fillText(label, width - 16, 32);
    }
    sheet.toBlob((blob) => { if (blob) download(`${name}.png`, "image/png", blob); });
}

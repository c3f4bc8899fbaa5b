"use strict";
{
  const MODES = ["slider", "difference", "overall"];
  const LEGENDS = {
    slider: "Drag over the picture, or move the slider with the arrow keys.",
    difference: "Black: no difference. White: a difference of 50 or more, which everybody sees.",
    overall: "Red: worse there than the original. Blue: better. Grey: no change.",
  };
  const NOTABLE = 0.1; // severity from which on a change is named
  const STRONGEST = 4;

  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  let copies = null; // most of the page; read when the first picture is shown

  function element(tag, text = "", attributes = {}) {
    const made = document.createElement(tag);
    if (text !== "") made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  const signed = (value, digits = 1) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(digits)}`;
  const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  const wordOf = (pair) => (pair.status === "ok" ? pair.verdict : pair.status === "failed" ? "failed" : "not compared");

  let mode = "slider";
  let shown = data.pairs;
  let current = 0;

  function address(number) {
    if (copies === null) {
      copies = JSON.parse(byId("pictures").textContent);
      byId("pictures").remove();
    }
    return `data:image/webp;base64,${copies[number]}`;
  }

  function size(bytes) {
    if (bytes === null) return "";
    return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
  }

  function factsOf(pair) {
    const { bytes, saving } = pair;
    const facts = [["Original", pair.reference]];
    if (pair.score !== null) facts.unshift(["Score, −100 to 100", signed(pair.score)], ["Difference, of 100", pair.difference.toFixed(1)]);
    if (pair.size[0]) facts.push(["Size", pair.size.join(" × ")]);
    if (saving !== null) {
      const change = `${Math.abs(saving * 100).toFixed(0)} % ${saving < 0 ? "more" : "less"}`;
      facts.push(["File", `${size(bytes[0])} → ${size(bytes[1])}, ${change}`]);
    }
    return facts;
  }

  function changeRow([less, more, mean]) {
    const row = element("tr");
    const notable = Math.abs(mean) >= NOTABLE;
    const bar = element("span", "", { class: "bar" });
    const filled = element("i");
    filled.style.setProperty("--from", Math.max(-1, Math.min(0, mean / STRONGEST)));
    filled.style.setProperty("--length", Math.min(1, Math.abs(mean) / STRONGEST));
    bar.append(filled);
    const middle = element("td");
    middle.append(bar);
    row.append(
      element("th", less, { scope: "row", class: notable && mean < 0 ? "on" : "" }),
      middle,
      element("td", more, { class: notable && mean > 0 ? "on" : "" }),
      element("td", signed(mean, 2)),
    );
    return row;
  }

  function fillView() {
    const pair = shown[current];
    byId("view").hidden = !pair;
    if (!pair) return;
    byId("title").firstElementChild.textContent = pair.path;
    byId("words").textContent = pair.error ?? pair.words;
    byId("stage").classList.toggle("empty", !pair.images);
    for (const id of ["modes", "slider", "legend"]) byId(id).classList.toggle("idle", !pair.images);
    if (pair.images) {
      const [reference, candidate] = pair.images;
      Object.assign(byId("reference"), { src: address(reference), alt: `The original ${pair.reference}` });
      Object.assign(byId("candidate"), { src: address(candidate), alt: `The version ${pair.path}` });
    }
    byId("facts").replaceChildren(
      ...factsOf(pair).map(([name, value]) => {
        const fact = element("div");
        const said = element("dd");
        said.append(element("bdi", value));
        fact.append(element("dt", name), said);
        return fact;
      }),
    );
    byId("changes").hidden = !pair.changes.length;
    byId("changes").tBodies[0].replaceChildren(...pair.changes.map(changeRow));
    byId("previous").disabled = current === 0;
    byId("next").disabled = current === shown.length - 1;
    showMode();
    for (const button of byId("list").querySelectorAll("button")) {
      const here = Number(button.dataset.index) === current;
      if (here) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (here) button.scrollIntoView({ block: "nearest" });
    }
  }

  function showMode() {
    const pair = shown[current];
    const map = mode !== "slider" && pair.images;
    for (const button of byId("modes").querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
      button.disabled = !pair.images;
    }
    byId("stage").classList.toggle("mapped", Boolean(map));
    byId("map").hidden = !map;
    if (map) Object.assign(byId("map"), { src: address(pair.images[MODES.indexOf(mode) + 1]), alt: `${LEGENDS[mode]}` });
    byId("slider").hidden = mode !== "slider" || !pair.images;
    byId("legend").textContent = pair.images ? LEGENDS[mode] : "";
  }

  function slide(percent) {
    byId("slider").value = percent;
    byId("stage").style.setProperty("--at", `${percent}%`);
  }

  function entry(pair, index) {
    const button = element("button", "", { type: "button", "data-index": index, "data-status": pair.status });
    const saving = pair.saving === null ? "" : `, ${Math.abs(pair.saving * 100).toFixed(0)} % ${pair.saving < 0 ? "larger" : "smaller"}`;
    button.append(
      element("b", pair.score === null ? "–" : signed(pair.score)),
      element("bdi", pair.path),
      element("small", wordOf(pair) + saving),
    );
    const made = element("li");
    made.append(button);
    return made;
  }

  function fillList() {
    const wanted = byId("shown").value;
    shown = data.pairs.filter((pair) => !wanted || wordOf(pair) === wanted);
    current = 0;
    byId("list").replaceChildren(...shown.map(entry));
    fillView();
  }

  function fillPage() {
    const { count, failed, errors, mean } = data.summary;
    const said = [counted(count, "comparison")];
    if (mean !== null) said.push(`mean score ${signed(mean)}`);
    if (data.gated) said.push(data.gate);
    if (errors) said.push(`${errors} not compared`);
    byId("summary").textContent = `${said.join(", ")}.`;
    byId("summary").dataset.failed = String(failed > 0);
    byId("origin").textContent = data.origin;
    for (const word of new Set(data.pairs.map(wordOf))) byId("shown").append(new Option(word, word));
    byId("filter").hidden = byId("shown").options.length < 3;
    for (const [name, paths] of [["Added: without an original", data.added], ["Removed: without a version", data.removed]]) {
      if (!paths.length) continue;
      const list = element("ul");
      list.append(
        ...paths.map((path) => {
          const item = element("li");
          item.append(element("bdi", path));
          return item;
        }),
      );
      byId("unpaired").append(element("h3", name), list);
    }
  }

  function step(by) {
    current = Math.min(Math.max(current + by, 0), shown.length - 1);
    fillView();
  }

  function follow(event) {
    if (mode !== "slider" || !(event.buttons & 1)) return;
    const { left, width } = byId("stage").getBoundingClientRect();
    slide(Math.min(100, Math.max(0, ((event.clientX - left) / width) * 100)));
  }

  function listen() {
    byId("slider").addEventListener("input", (event) => slide(event.target.value));
    byId("stage").addEventListener("pointerdown", (event) => {
      byId("stage").setPointerCapture(event.pointerId);
      follow(event);
    });
    byId("stage").addEventListener("pointermove", follow);
    byId("modes").addEventListener("click", (event) => {
      const chosen = event.target.closest("[data-mode]");
      if (!chosen) return;
      mode = chosen.dataset.mode;
      showMode();
    });
    byId("previous").addEventListener("click", () => step(-1));
    byId("next").addEventListener("click", () => step(1));
    byId("shown").addEventListener("input", fillList);
    byId("list").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      current = Number(button.dataset.index);
      fillView();
    });
  }

  fillPage();
  listen();
  fillList();
}

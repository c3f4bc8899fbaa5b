"use strict";
// The part of this page that review.js builds on.
const report = { filters: [], afterArranging: [], afterFilling: [] };
{
  const BINS = 20;
  const BIN = 100 / BINS;
  const NOTABLE = 0.5; // severity, of 4, from which on a defect is named
  const STANDINGS = { passed: "passed", warned: "with a warning", failed: "failed", unreadable: "not readable" };

  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const hasIntervals = data.pictures.some((picture) => picture.interval);

  function element(tag, text = "", attributes = {}) {
    const made = document.createElement(tag);
    if (text !== "") made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  const number = (value) => value.toFixed(1);
  const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  // What a picture can be sorted by: a name, a value (null goes last), and whether large values come first.
  const keys = new Map([
    ["score", { label: "Score", value: (picture) => picture.score }],
    ["path", { label: "Picture", value: (picture) => picture.place }],
  ]);
  if (hasIntervals) {
    const width = (picture) => picture.interval && picture.interval[1] - picture.interval[0];
    keys.set("interval", { label: "Interval", value: width, descends: true });
  }
  data.defects.forEach((name, index) => {
    keys.set(name, { label: name, value: (picture) => picture.defects && picture.defects[index], descends: true });
  });

  data.pictures.forEach((picture, index) => {
    picture.index = index;
    picture.searched = `${picture.path} ${picture.remarks.join(" ")}`.toLowerCase();
  });
  // Comparing names is slow, comparing their places in order is not.
  const collator = new Intl.Collator("en", { numeric: true });
  [...data.pictures].sort((a, b) => collator.compare(a.path, b.path)).forEach((picture, place) => {
    picture.place = place;
  });

  // The small pictures are most of the page; they are read when the first one is to be seen.
  let small = null;
  function source(picture, kind) {
    if (small === null) {
      small = JSON.parse(byId("pictures").textContent);
      byId("pictures").remove();
    }
    return small[picture.index][kind];
  }

  const state = { text: "", from: "", to: "", standing: "", defect: "", severity: "1", sort: "score", descends: false };
  let shown = [];

  // Rows

  // Rows come in groups, so that a browser need not lay out, nor this script look at, every row by itself.
  const GROUP = 40;
  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) for (const each of target.rows) fetchThumbnail(each, isIntersecting);
    },
    { rootMargin: "600px" },
  );

  function fetchThumbnail(row, wanted) {
    const image = row.querySelector("img");
    const address = wanted && image ? source(data.pictures[row.dataset.index], 0) : null;
    if (address) image.src = address;
    else image?.removeAttribute("src");
  }

  function groups(pictures) {
    const made = [];
    for (let start = 0; start < pictures.length; start += GROUP) {
      const group = element("tbody", "", { role: "rowgroup" });
      const rows = pictures.slice(start, start + GROUP).map((picture) => (picture.row ??= row(picture)));
      rows.forEach((each, index) => each.setAttribute("aria-rowindex", start + index + 2)); // the header is the first
      group.style.setProperty("--rows", rows.length);
      group.append(...rows);
      near.observe(group);
      made.push(group);
    }
    return made;
  }

  function row(picture) {
    const made = byId("row").content.firstElementChild.cloneNode(true);
    made.dataset.index = picture.index;
    made.dataset.standing = picture.standing;
    const [thumbnail, name, score, interval] = made.children;
    if (picture.score === null) thumbnail.firstElementChild.textContent = "no picture";
    else thumbnail.querySelector("img").alt = "";
    thumbnail.firstElementChild.setAttribute("aria-label", `Details of ${picture.path}`);
    const slash = Math.max(picture.path.lastIndexOf("/"), picture.path.lastIndexOf("\\")) + 1;
    name.children[0].textContent = picture.path.slice(slash);
    name.children[1].textContent = [picture.path.slice(0, slash), picture.size && picture.size.join("×"), picture.remarks.join(", ")]
      .filter(Boolean)
      .join("  ");
    const standing = data.gated && picture.standing !== "passed" ? `${STANDINGS[picture.standing]}: ` : "";
    name.children[2].textContent = picture.messages.length ? standing + picture.messages.join("; ") : "";
    if (picture.score === null) score.firstElementChild.textContent = "–";
    else {
      score.firstElementChild.textContent = number(picture.score);
      placeMeter(score.lastElementChild, picture);
    }
    if (!hasIntervals) interval.remove();
    else if (picture.interval) interval.textContent = picture.interval.map(Math.round).join(" – ");
    data.defects.forEach((defect, index) => made.append(severityCell(defect, picture.defects?.[index])));
    return made;
  }

  function placeMeter(meter, picture) {
    const [low, high] = picture.interval ?? [picture.score, picture.score];
    meter.style.setProperty("--score", picture.score);
    meter.style.setProperty("--low", low);
    meter.style.setProperty("--high", high);
  }

  function severityCell(defect, severity) {
    const cell = element("td", "", { role: "cell", class: "defect", "data-name": defect });
    if (severity === undefined || severity === null) return cell;
    cell.textContent = number(severity);
    cell.style.setProperty("--severity", severity);
    if (severity < NOTABLE) cell.classList.add("slight");
    return cell;
  }

  // Filter and order

  function passes(picture) {
    if (state.standing === "found" ? !picture.messages.length : state.standing && picture.standing !== state.standing) {
      return false;
    }
    if (state.defect) {
      const severity = picture.defects?.[data.defects.indexOf(state.defect)];
      if (!(severity >= Number(state.severity))) return false;
    }
    return report.filters.every((keeps) => keeps(picture)) && words().every((word) => picture.searched.includes(word));
  }

  const words = () => state.text.toLowerCase().split(/\s+/).filter(Boolean);

  function inRange(picture) {
    if (state.from === "" && state.to === "") return true;
    if (picture.score === null) return false;
    const to = state.to === "" ? 100 : Number(state.to);
    return picture.score >= Number(state.from) && (picture.score < to || to >= 100);
  }

  function arrange() {
    const begun = performance.now();
    const found = data.pictures.filter(passes);
    const { value } = keys.get(state.sort);
    const sign = state.descends ? -1 : 1;
    shown = found.filter(inRange).sort((a, b) => {
      const [x, y] = [value(a) ?? null, value(b) ?? null];
      if (x === null || y === null) return (x === null) - (y === null) || a.place - b.place;
      return sign * (x - y) || a.place - b.place;
    });
    near.disconnect();
    byId("list").replaceChildren(byId("head")); // rows move faster while they are not in the page
    byId("list").append(...groups(shown));
    // A browser may leave rows out of sight out of what a screen reader sees until they are reached.
    byId("list").setAttribute("aria-rowcount", shown.length + 1);
    byId("nothing").hidden = shown.length > 0;
    const total = data.pictures.length;
    const all = counted(total, "picture");
    byId("count").textContent = shown.length === total ? all : `${shown.length.toLocaleString("en")} of ${all}`;
    drawHistogram(found);
    for (const each of report.afterArranging) each(shown);
    showOrder();
    keepState();
    performance.measure("arrange", { start: begun });
  }

  function orderBy(sort) {
    const descends = state.sort === sort ? !state.descends : Boolean(keys.get(sort).descends);
    Object.assign(state, { sort, descends });
    arrange();
  }

  function showOrder() {
    byId("sort").value = state.sort;
    byId("direction").textContent = state.descends ? "↓ high to low" : "↑ low to high";
    if (state.sort === "path") byId("direction").textContent = state.descends ? "↓ z to a" : "↑ a to z";
    for (const header of byId("columns").querySelectorAll("[data-key]")) {
      if (header.dataset.key !== state.sort) header.removeAttribute("aria-sort");
      else header.setAttribute("aria-sort", state.descends ? "descending" : "ascending");
    }
  }

  // The address keeps what is chosen, so that a view can be bookmarked and the Back button returns to it.

  const untouched = { ...state };

  function keepState() {
    const changed = Object.entries(state).filter(([name, value]) => value !== untouched[name]);
    const fragment = new URLSearchParams(changed).toString();
    history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
  }

  function readState() {
    const given = new URLSearchParams(location.hash.slice(1));
    Object.assign(state, untouched);
    for (const name of Object.keys(state)) if (given.has(name)) state[name] = given.get(name);
    if (!keys.has(state.sort)) state.sort = "score";
    state.descends = given.get("descends") === "true";
    for (const name of ["text", "from", "to", "standing", "defect", "severity"]) byId(name).value = state[name];
  }

  // Distribution

  const binOf = (score) => Math.min(Math.floor(score / BIN), BINS - 1);
  const scored = data.pictures.filter((picture) => picture.score !== null);

  function binned(pictures) {
    const counts = new Array(BINS).fill(0);
    for (const picture of pictures) if (picture.score !== null) counts[binOf(picture.score)] += 1;
    return counts;
  }

  const totals = binned(scored);
  const tallest = Math.max(1, ...totals);

  function drawHistogram(found) {
    const counts = binned(found);
    [...byId("histogram").children].forEach((bar, index) => {
      const middle = { score: (index + 0.5) * BIN };
      const chosen = state.from !== "" || state.to !== "";
      bar.style.setProperty("--count", counts[index] / tallest);
      bar.classList.toggle("out", !inRange(middle));
      bar.setAttribute("aria-pressed", String(chosen && inRange(middle)));
      const label = `${index * BIN} to ${(index + 1) * BIN}: ${counted(counts[index], "picture")}`;
      bar.setAttribute("aria-label", label);
      bar.title = label;
    });
  }

  function chooseBin(index, extend) {
    let [from, to] = [index * BIN, (index + 1) * BIN];
    const chosen = state.from !== "" && state.to !== "";
    if (extend && chosen) [from, to] = [Math.min(from, Number(state.from)), Math.max(to, Number(state.to))];
    const again = chosen && Number(state.from) === from && Number(state.to) === to;
    state.from = byId("from").value = again ? "" : String(from);
    state.to = byId("to").value = again ? "" : String(to);
    arrange();
  }

  // One picture

  let current = 0;

  function open(picture) {
    current = shown.indexOf(picture);
    fillDetails();
    if (!byId("details").open) byId("details").showModal();
  }

  function step(by) {
    if (current + by < 0 || current + by >= shown.length) return;
    current += by;
    fillDetails();
  }

  function fillDetails() {
    const picture = shown[current];
    byId("details-title").firstElementChild.textContent = picture.path;
    byId("position").textContent = `${(current + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")}`;
    byId("previous").disabled = current === 0;
    byId("next").disabled = current === shown.length - 1;
    byId("views").replaceChildren(...views(picture));
    byId("messages").replaceChildren(...picture.messages.map((message) => element("li", message)));
    byId("messages").dataset.standing = picture.standing;
    byId("facts").replaceChildren(...figures(factsOf(picture)));
    byId("severities").replaceChildren(...severities(picture));
    for (const each of report.afterFilling) each(picture);
  }

  function views(picture) {
    if (picture.score === null) return [];
    const map = source(picture, 1);
    const made = [figure(source(picture, 0), `The picture ${picture.path}, small`, map ? "As it was scored" : "")];
    if (map) {
      const legend = "Red lowers the score, blue raises it, relative to an average picture";
      made.push(figure(map, `Map of where ${picture.path} gains and loses points`, legend));
    }
    const tile = source(picture, 2);
    if (tile) {
      const seen = figure(tile, `The sharpest part of ${picture.path} at 100 %`, picture.atFullSize && `At 100 %, the sharpest part: ${picture.atFullSize} (of 4)`);
      seen.className = "tile-100";
      made.push(seen);
    }
    return made.filter(Boolean);
  }

  function figure(address, alt, caption) {
    if (!address) return null;
    const made = element("figure");
    const image = element("img", "", { alt });
    image.src = address;
    made.append(image);
    if (caption) made.append(element("figcaption", caption));
    return made;
  }

  function factsOf(picture) {
    if (picture.score === null) return [["Score", "none"]];
    const range = picture.interval && picture.interval.map(number).join(" to ");
    return [
      ["Score", number(picture.score)],
      ["Interval", range],
      ["Predicted human score", picture.mos?.toFixed(2)],
      ["Size", picture.size?.join(" × ")],
      ["Remarks", picture.remarks.join(", ")],
      ["At 100 %, of 4", picture.atFullSize],
      ["Low reliability", picture.doubts],
      ["Result", data.gated && STANDINGS[picture.standing]],
    ];
  }

  function figures(pairs) {
    return pairs.filter(([, value]) => value).map(([name, value]) => {
      const pair = element("div");
      pair.append(element("dt", name), element("dd", value));
      return pair;
    });
  }

  function severities(picture) {
    if (!picture.defects) return [];
    return data.defects.map((name, index) => {
      const pair = element("div");
      const value = element("dd", `${number(picture.defects[index])} of 4`);
      value.style.setProperty("--severity", picture.defects[index]);
      pair.append(element("dt", name), value);
      return pair;
    });
  }

  // What the page is made of

  function fillHeader() {
    const { count, errors, failed, mean, median, min, max } = data.summary;
    const shownNumber = (value) => value !== null && number(value);
    byId("conclusion").textContent = data.gated ? `${data.conclusion}.` : "";
    byId("conclusion").dataset.standing = failed ? "failed" : errors ? "unreadable" : "passed";
    byId("summary").replaceChildren(
      ...figures([
        [count === 1 ? "picture" : "pictures", count.toLocaleString("en")],
        ["mean", shownNumber(mean)],
        ["median", shownNumber(median)],
        ["lowest", shownNumber(min)],
        ["highest", shownNumber(max)],
        ["failed", failed && failed.toLocaleString("en")],
        ["not readable", errors && errors.toLocaleString("en")],
      ]),
    );
    const view = data.viewSize === null ? "scored at full size" : `scaled down to ${data.viewSize} px`;
    const made = data.made.slice(0, 16).replace("T", " ");
    byId("origin").textContent = `${data.model} (${data.revision}), pictures ${view}; made ${made} by shamisa.`;
    byId("maps-note").textContent = data.maps ? "" : "Maps of where the points go: add --maps DIR to the command.";
  }

  function fillControls() {
    for (const [key, { label }] of keys) byId("sort").append(new Option(key === "interval" ? "width of interval" : label.toLowerCase(), key));
    for (const defect of data.defects) byId("defect").append(new Option(defect, defect));
    byId("defect-fields").hidden = !data.defects.length;
    const present = Object.entries(STANDINGS).filter(([key]) => data.pictures.some(({ standing }) => standing === key));
    byId("standing").append(new Option("any", ""));
    if (data.pictures.some((picture) => picture.messages.length)) {
      byId("standing").append(new Option("with findings", "found"));
    }
    for (const [key, label] of present) byId("standing").append(new Option(label, key));
    byId("standing-label").hidden = present.length < 2;
  }

  function fillColumns() {
    const columns = byId("columns");
    const blank = element("th", "", { role: "columnheader", scope: "col", class: "thumbnail" });
    blank.append(element("span", "Details", { class: "hidden" }));
    columns.append(blank);
    const order = ["path", "score", ...(hasIntervals ? ["interval"] : []), ...data.defects];
    for (const key of order) {
      const header = element("th", "", { role: "columnheader", scope: "col", "data-key": key });
      header.className = data.defects.includes(key) ? "defect" : key === "path" ? "name" : key;
      const button = element("button", keys.get(key).label, { type: "button" });
      button.addEventListener("click", () => orderBy(key));
      header.append(button);
      columns.append(header);
    }
    byId("list").classList.toggle("with-intervals", hasIntervals);
    byId("list").classList.toggle("with-defects", data.defects.length > 0);
  }

  function fillHistogram() {
    byId("distribution").hidden = scored.length < 2;
    totals.forEach((total, index) => {
      const bar = element("button", "", { type: "button" });
      bar.style.setProperty("--total", total / tallest);
      bar.style.setProperty("--score", (index + 0.5) * BIN);
      bar.addEventListener("click", (event) => chooseBin(index, event.shiftKey));
      byId("histogram").append(bar);
    });
    for (let mark = 0; mark <= 100; mark += 10) byId("axis").append(element("span", String(mark)));
  }

  function listen() {
    for (const name of ["text", "from", "to", "standing", "defect", "severity"]) {
      byId(name).addEventListener("input", (event) => {
        state[name] = event.target.value;
        arrange();
      });
    }
    byId("sort").addEventListener("input", (event) => orderBy(event.target.value));
    byId("direction").addEventListener("click", () => orderBy(state.sort));
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("reset").addEventListener("click", () => {
      const { sort, descends } = state;
      history.replaceState(null, "", location.pathname + location.search);
      readState();
      Object.assign(state, { sort, descends });
      report.reset();
      arrange();
    });
    addEventListener("hashchange", () => {
      if (location.hash === "#list") return;
      readState();
      arrange();
    });
    byId("list").addEventListener("click", (event) => {
      const button = event.target.closest("tbody button");
      if (button) open(data.pictures[button.closest("tr").dataset.index]);
    });
    byId("previous").addEventListener("click", () => step(-1));
    byId("next").addEventListener("click", () => step(1));
    byId("close").addEventListener("click", () => byId("details").close());
    byId("details").addEventListener("click", (event) => {
      if (event.target === byId("details")) byId("details").close();
    });
    byId("details").addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") step(-1);
      if (event.key === "ArrowRight") step(1);
    });
    byId("details").addEventListener("close", () => report.focus(shown[current]));
  }

  Object.assign(report, { data, byId, element, number, counted, source, figure, arrange, open, fillDetails, shown: () => shown, current: () => shown[current] });
  report.focus = (picture) => picture.row.querySelector("button").focus();
  report.reset = () => {};
  fillHeader();
  fillControls();
  fillColumns();
  fillHistogram();
  listen();
  report.begin = () => {
    readState();
    arrange();
  };
}

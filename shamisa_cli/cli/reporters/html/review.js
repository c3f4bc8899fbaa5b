// A grid, marks that live in this browser, their export, and two pictures side by side.
{
  const { data, byId, element, number, counted, source, figure } = report;
  const STARS = 5;
  const STORE = `shamisa marks ${data.made} ${data.revision} ${data.pictures.length}`;
  const slashOf = (path) => Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1;

  // Marks: path → { verdict: "keep" | "reject" | undefined, stars: 1…5 | undefined }

  const marks = new Map(stored());

  function stored() {
    try {
      return Object.entries(JSON.parse(localStorage.getItem(STORE) ?? "{}"));
    } catch {
      return []; // the browser keeps nothing for this page
    }
  }

  function keep() {
    try {
      localStorage.setItem(STORE, JSON.stringify(Object.fromEntries(marks)));
    } catch {
      byId("tally").textContent = "This browser does not store marks; export them before closing the page.";
    }
  }

  const markOf = (picture) => marks.get(picture.path) ?? {};

  function set(picture, change) {
    const mark = { ...markOf(picture), ...change };
    for (const name of Object.keys(mark)) if (mark[name] === undefined) delete mark[name];
    if (Object.keys(mark).length) marks.set(picture.path, mark);
    else marks.delete(picture.path);
    keep();
    showMark(picture);
    showTally();
  }

  function wordsOf({ verdict, stars }) {
    const said = [verdict === "keep" ? "kept" : verdict === "reject" ? "rejected" : "", stars ? `${stars} of 5 stars` : ""];
    return said.filter(Boolean).join(", ");
  }

  function showMark(picture) {
    const mark = markOf(picture);
    for (const each of [picture.tile, picture.row]) {
      if (!each) continue;
      each.dataset.mark = mark.verdict ?? "";
      each.dataset.stars = mark.stars ? "★".repeat(mark.stars) : "";
    }
    if (picture.tile) picture.tile.ariaLabel = labelOf(picture);
    if (byId("details").open && report.current() === picture) fillMark(picture);
  }

  function labelOf(picture) {
    const score = picture.score === null ? "no score" : `score ${number(picture.score)}`;
    const group = picture.group && picture.group.size > 1 ? `group ${picture.group.number}${picture.group.best ? ", the best" : ""}` : "";
    return [picture.path, score, group, wordsOf(markOf(picture))].filter(Boolean).join(", ");
  }

  function showTally() {
    const all = [...marks.values()];
    const count = (test) => all.filter(test).length;
    const [kept, rejected, starred] = [count((m) => m.verdict === "keep"), count((m) => m.verdict === "reject"), count((m) => m.stars)];
    byId("tally").textContent = all.length ? `${kept} kept, ${rejected} rejected, ${starred} with stars` : "Nothing marked";
    for (const button of byId("exports").querySelectorAll("button")) button.disabled = !all.length;
  }

  // The grid

  const GROUP = 60;
  let inGrid = false;
  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) fill(target);
        else empty(target);
      }
    },
    { rootMargin: "900px" },
  );

  function fill(block) {
    if (block.childElementCount) return;
    block.append(...block.pictures.map((picture) => tile(picture)));
  }

  function empty(block) {
    if (block.contains(document.activeElement)) return;
    for (const picture of block.pictures) picture.tile = null;
    block.replaceChildren();
  }

  // Files beside the page are read where scrolling is slow or rests: a fast scroll would read thousands that are not seen.
  const SLOW = 200; // pixels between two events
  const REST = 120; // milliseconds
  const waiting = new Map(); // image → its address
  let timer = 0;
  let lastTop = 0;

  function load(image, address) {
    if (address.startsWith("data:")) image.src = address;
    else {
      waiting.set(image, address);
      rest();
    }
    return image;
  }

  function rest() {
    clearTimeout(timer);
    timer = setTimeout(loadWaiting, REST);
  }

  function loadWaiting() {
    for (const [image, address] of waiting) if (image.isConnected) image.src = address;
    waiting.clear();
  }

  addEventListener(
    "scroll",
    () => {
      const moved = Math.abs(scrollY - lastTop);
      lastTop = scrollY;
      if (moved < SLOW) loadWaiting();
      else rest();
    },
    { passive: true },
  );

  function tile(picture) {
    const made = element("div", "", { role: "option", tabindex: "-1", "aria-selected": "false", class: "tile" });
    made.dataset.index = picture.index;
    const address = picture.score === null ? null : source(picture, 0);
    if (address) made.append(load(element("img", "", { alt: "", decoding: "async" }), address));
    else made.append(element("i", "no picture"));
    const caption = element("span", "", { class: "caption" });
    caption.append(element("b", picture.score === null ? "–" : number(picture.score)), element("bdi", picture.path.slice(slashOf(picture.path))));
    if (picture.group && picture.group.size > 1) caption.append(element("em", `${picture.group.number}${picture.group.best ? " ★" : ""}`, { title: "group" }));
    made.append(caption);
    picture.tile = made;
    showMark(picture);
    return made;
  }

  function drawGrid(shown) {
    near.disconnect();
    for (const picture of shown) picture.tile = null;
    const made = [];
    for (let start = 0; start < shown.length; start += GROUP) {
      const block = element("div", "", { role: "presentation", class: "block" });
      block.pictures = shown.slice(start, start + GROUP);
      block.style.setProperty("--tiles", block.pictures.length);
      for (const picture of block.pictures) picture.block = block;
      made.push(block);
    }
    byId("grid").replaceChildren(...made);
    sizeBlocks();
    made.forEach((block) => near.observe(block));
    if (made.length) {
      fill(made[0]);
      made[0].firstElementChild.tabIndex = 0;
    }
  }

  const TILE = 176; // width and height of a tile with its gap
  const columns = () => Math.max(1, Math.floor((byId("grid").clientWidth + 8) / TILE));

  function sizeBlocks() {
    const across = columns();
    byId("grid").style.setProperty("--across", across);
    for (const block of byId("grid").children) block.style.minHeight = `${Math.ceil(block.pictures.length / across) * TILE}px`;
  }

  function focusTile(picture) {
    if (!picture) return;
    fill(picture.block);
    for (const each of byId("grid").querySelectorAll('[tabindex="0"], [aria-selected="true"]')) {
      each.tabIndex = -1;
      each.ariaSelected = "false";
    }
    picture.tile.tabIndex = 0;
    picture.tile.ariaSelected = "true";
    picture.tile.focus();
    picture.tile.scrollIntoView({ block: "nearest" });
  }

  function choose(grid) {
    inGrid = grid;
    byId("as-grid").ariaPressed = String(grid);
    byId("as-table").ariaPressed = String(!grid);
    byId("grid").hidden = !grid;
    byId("list").hidden = grid;
    if (grid) drawGrid(report.shown());
  }

  // Keys

  function mark(picture, key) {
    const { verdict, stars } = markOf(picture);
    if (key === " ") set(picture, { verdict: verdict === "keep" ? undefined : "keep" });
    else if (key === "x") set(picture, { verdict: verdict === "reject" ? undefined : "reject" });
    else if (key === "0") set(picture, { verdict: undefined, stars: undefined });
    else if (key >= "1" && key <= "5" && key.length === 1) set(picture, { stars: stars === Number(key) ? undefined : Number(key) });
    else return false;
    return true;
  }

  function gridKey(event) {
    const at = event.target.closest(".tile");
    if (!at || event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = report.shown();
    const picture = data.pictures[at.dataset.index];
    const place = shown.indexOf(picture);
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns(), Home: -place, End: shown.length - 1 - place };
    if (event.key in moves) focusTile(shown[Math.min(Math.max(place + moves[event.key], 0), shown.length - 1)]);
    else if (event.key === "Enter") report.open(picture);
    else if (event.key === "c") {
      pinned = picture;
      showPin();
    } else if (!mark(picture, event.key)) return;
    event.preventDefault();
  }

  // Arrows lead into the grid from where a click on "Grid" or on nothing leaves the keyboard.
  function enterGrid(event) {
    const idle = event.target === document.body || event.target === byId("as-grid");
    if (!inGrid || !idle || !event.key.startsWith("Arrow") || event.ctrlKey || event.metaKey || event.altKey) return;
    const tiles = [...byId("grid").querySelectorAll(".tile")];
    const top = (tile) => tile.getBoundingClientRect().top;
    const last = tiles.find((tile) => tile.tabIndex === 0 && top(tile) >= 0 && top(tile) < innerHeight);
    const stop = last ?? tiles.find((tile) => top(tile) >= 0) ?? tiles.at(-1);
    if (stop) focusTile(data.pictures[stop.dataset.index]);
    event.preventDefault();
  }

  function rowKey(event) {
    const row = event.target.closest("tbody tr");
    if (!row || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return;
    const picture = data.pictures[row.dataset.index];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const shown = report.shown();
      report.focus(shown[shown.indexOf(picture) + step] ?? picture);
    } else if (!mark(picture, event.key)) return;
    event.preventDefault();
  }

  // Large view: marks, and the pinned picture beside the current one

  let pinned = null;

  function showPin() {
    byId("pin").ariaPressed = String(pinned !== null);
    byId("pin").textContent = pinned ? "Stop comparing" : "Compare with this one";
  }

  function fillMark(picture) {
    const mark_ = markOf(picture);
    const made = [["keep", "Keep", " "], ["reject", "Reject", "x"]].map(([verdict, label, key]) => {
      const button = element("button", label, { type: "button", "aria-pressed": String(mark_.verdict === verdict), "data-key": key });
      return button;
    });
    for (let star = 1; star <= STARS; star += 1) {
      const on = (mark_.stars ?? 0) >= star;
      made.push(element("button", on ? "★" : "☆", { type: "button", "aria-label": `${star} of 5 stars`, "aria-pressed": String(mark_.stars === star), "data-key": String(star) }));
    }
    const focused = document.activeElement?.dataset?.key;
    byId("mark").replaceChildren(...made);
    if (focused) byId("mark").querySelector(`[data-key="${focused}"]`)?.focus();
  }

  function fillPair(picture) {
    fillMark(picture);
    byId("details").classList.toggle("pair", pinned !== null && pinned !== picture);
    if (pinned === null || pinned === picture || pinned.score === null) return;
    const caption = `${pinned.path}, ${number(pinned.score)}`;
    byId("views").prepend(figure(source(pinned, 0), `The pinned picture ${pinned.path}`, caption));
    const own = byId("views").children[1];
    own?.querySelector("figcaption")?.remove();
    own?.append(element("figcaption", `${picture.path}, ${picture.score === null ? "no score" : number(picture.score)}`));
  }

  function detailsKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && event.target.closest("button")) return; // presses that button
    if (event.key === "c") pin();
    else if (!mark(report.current(), event.key)) return;
    event.preventDefault();
  }

  function pin() {
    pinned = pinned ? null : report.current();
    showPin();
    report.fillDetails();
  }

  // Filters

  const chosen = { folder: "", group: "", reliability: "", marked: "" };
  report.filters.push((picture) => !chosen.folder || picture.path.slice(0, slashOf(picture.path)) === chosen.folder);
  report.filters.push(({ group }) => {
    if (!chosen.group) return true;
    if (!group || group.size < 2) return false;
    return chosen.group === "several" || group.best === (chosen.group === "best");
  });
  report.filters.push((picture) => !chosen.reliability || (picture.doubts ? "low" : "ok") === chosen.reliability);
  report.filters.push((picture) => {
    const { verdict, stars } = markOf(picture);
    if (chosen.marked === "stars") return Boolean(stars);
    if (chosen.marked === "none") return !verdict && !stars;
    return !chosen.marked || verdict === chosen.marked;
  });
  report.reset = () => {
    for (const name of Object.keys(chosen)) chosen[name] = byId(name).value = "";
  };

  function fillFilters() {
    const folders = [...new Set(data.pictures.map(({ path }) => path.slice(0, slashOf(path))))].sort();
    for (const folder of folders) byId("folder").append(new Option(folder || "(this one)", folder));
    byId("folder-label").hidden = folders.length < 2;
    byId("reliability-label").hidden = !data.pictures.some(({ doubts }) => doubts);
    byId("group-label").hidden = !data.pictures.some(({ group }) => group && group.size > 1);
  }

  // Export

  function save(name, type, text) {
    const link = element("a", "", { download: name });
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  report.exports = report.exportsOf(data, marks);

  function exportAs(name, type, text) {
    save(name, type, text);
    const count = report.exports.leftOut();
    if (count) byId("tally").textContent = `${counted(count, "marked picture")} left out: the page holds their names with escapes, which no program finds.`;
  }

  function listen() {
    byId("as-table").addEventListener("click", () => choose(false));
    byId("as-grid").addEventListener("click", () => choose(true));
    byId("grid").addEventListener("keydown", gridKey);
    byId("grid").addEventListener("click", (event) => {
      const at = event.target.closest(".tile");
      if (at) focusTile(data.pictures[at.dataset.index]);
    });
    byId("grid").addEventListener("dblclick", (event) => {
      const at = event.target.closest(".tile");
      if (at) report.open(data.pictures[at.dataset.index]);
    });
    byId("list").addEventListener("keydown", rowKey);
    addEventListener("keydown", enterGrid);
    byId("details").addEventListener("keydown", detailsKey);
    byId("mark").addEventListener("click", (event) => {
      const key = event.target.closest("button")?.dataset.key;
      if (key) mark(report.current(), key);
    });
    byId("pin").addEventListener("click", pin);
    for (const name of Object.keys(chosen)) {
      byId(name).addEventListener("input", (event) => {
        chosen[name] = event.target.value;
        report.arrange();
      });
    }
    byId("export-csv").addEventListener("click", () => exportAs("marks.csv", "text/csv", report.exports.csv()));
    byId("export-kept").addEventListener("click", () => exportAs("kept.txt", "text/plain", report.exports.kept()));
    byId("export-rejected").addEventListener("click", () => exportAs("rejected.txt", "text/plain", report.exports.rejected()));
    byId("export-xmp").addEventListener("click", () => exportAs("write-xmp.sh", "text/x-shellscript", report.exports.script()));
    byId("clear-marks").addEventListener("click", () => {
      const before = data.pictures.filter(({ path }) => marks.has(path));
      marks.clear();
      keep();
      before.forEach(showMark);
      showTally();
    });
    addEventListener("resize", () => inGrid && sizeBlocks());
  }

  report.focus = (picture) => (inGrid ? focusTile(picture) : picture.row.querySelector("button").focus());
  report.afterFilling.push(fillPair);
  report.afterArranging.push((shown) => {
    for (const picture of shown) if (marks.has(picture.path)) showMark(picture);
    if (inGrid) drawGrid(shown);
  });
  fillFilters();
  listen();
  showTally();
  showPin();
  report.begin();
}

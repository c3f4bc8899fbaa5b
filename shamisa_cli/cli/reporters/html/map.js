"use strict";
{
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const pictures = JSON.parse(byId("pictures").textContent);
  const count = data.paths.length;

  // Seven hues at least 16 apart (CIEDE2000) to normal vision and to each kind of colour blindness (Machado 2009), that
  // show on white and on black; each with five shapes. Texts beyond these share a grey.
  const HUES = ["#3687ff", "#ebc032", "#006b69", "#b5849a", "#31d3e6", "#9b4400", "#7b36b4"];
  const SHAPES = ["circle", "square", "triangle", "diamond", "cross"];
  const OTHERS = "#8d8a86";
  // Viridis: even steps look even, in grey too.
  const RAMP = ["#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
  const SHADES = 64;
  const REACH = 22; // pixels from a point within which it is meant
  const FAINT = 0.1;
  const MAX_ZOOM = 60;

  const map = byId("map");
  const layers = ["points", "marked"].map((id) => byId(id).getContext("2d"));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const radius = Math.min(6.5, Math.max(2.6, 8.2 - 1.5 * Math.log10(count)));
  const view = { zoom: 1, x: 0, y: 0 }; // of the middle, in the map's own units
  const size = { width: 1, height: 1, unit: 1 };
  let colouring = data.colourings[0];
  let marked = -1;
  let chosen = -1; // a class of the legend that was pressed
  let hovered = -1; // a class of the legend that is pointed at
  let waiting = false;
  const sprites = new Map();

  const element = (name, text = "", attributes = {}) => {
    const made = Object.assign(document.createElement(name), { textContent: text });
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const shorten = (value) => (Number.isInteger(value) ? String(value) : Number(value.toPrecision(4)).toString());
  const fileName = (path) => path.split(/[\\/]/).pop();

  // Colours and shapes

  function mix(share) {
    const place = Math.min(RAMP.length - 1.0001, Math.max(0, share) * (RAMP.length - 1));
    const parts = [0, 1].map((step) => parseInt(RAMP[Math.floor(place) + step].slice(1), 16));
    const channel = (shift) => {
      const [low, high] = parts.map((colour) => (colour >> shift) & 255);
      return Math.round(low + (high - low) * (place % 1));
    };
    return `rgb(${channel(16)} ${channel(8)} ${channel(0)})`;
  }

  function styleOf(key) {
    if (key === "none") return [OTHERS, "ring"];
    if (key === "others") return [OTHERS, "circle"];
    if (colouring.kind === "numbers") return [mix(key / (SHADES - 1)), "circle"];
    return [HUES[key % HUES.length], SHAPES[Math.floor(key / HUES.length)]];
  }

  function keyOf(index) {
    const value = colouring.values[index];
    if (value === null) return "none";
    if (colouring.kind === "numbers") {
      const { low, high } = colouring;
      return high > low ? Math.round(((value - low) / (high - low)) * (SHADES - 1)) : SHADES >> 1;
    }
    return value < HUES.length * SHAPES.length ? value : "others";
  }

  function sprite(key) {
    const kept = sprites.get(key);
    if (kept) return kept;
    const [colour, shape] = styleOf(key);
    const ratio = devicePixelRatio || 1;
    const side = Math.ceil(2 * radius + 5);
    const made = document.createElement("canvas");
    made.width = made.height = side * ratio;
    const pen = made.getContext("2d");
    pen.scale(ratio, ratio);
    pen.translate(side / 2, side / 2);
    trace(pen, shape, radius);
    pen.lineJoin = "round";
    if (shape === "ring") {
      pen.strokeStyle = colour;
      pen.lineWidth = 1.4;
    } else {
      pen.fillStyle = colour;
      pen.fill();
      pen.strokeStyle = dark.matches ? "rgb(255 255 255 / .6)" : "rgb(0 0 0 / .45)";
      pen.lineWidth = 0.8;
    }
    pen.stroke();
    sprites.set(key, { made, side });
    return sprites.get(key);
  }

  function trace(pen, shape, r) {
    const polygon = (...points) => {
      points.forEach(([x, y], index) => (index ? pen.lineTo(x * r, y * r) : pen.moveTo(x * r, y * r)));
      pen.closePath();
    };
    pen.beginPath();
    if (shape === "square") polygon([-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]);
    else if (shape === "triangle") polygon([0, -1.15], [1.1, 0.8], [-1.1, 0.8]);
    else if (shape === "diamond") polygon([0, -1.25], [1.05, 0], [0, 1.25], [-1.05, 0]);
    else if (shape === "cross") {
      const [a, b] = [0.38, 1.1];
      polygon([-a, -b], [a, -b], [a, -a], [b, -a], [b, a], [a, a], [a, b], [-a, b], [-a, a], [-b, a], [-b, -a], [-a, -a]);
    } else pen.arc(0, 0, shape === "ring" ? 0.85 * r : r, 0, 2 * Math.PI);
  }

  // Drawing

  const screenX = (index) => size.width / 2 + (data.x[index] - view.x) * size.unit * view.zoom;
  const screenY = (index) => size.height / 2 - (data.y[index] - view.y) * size.unit * view.zoom;

  function draw() {
    waiting = false;
    const pen = layers[0];
    pen.clearRect(0, 0, size.width, size.height);
    const shown = hovered === -1 ? chosen : hovered;
    for (const front of shown === -1 ? [true] : [false, true]) {
      pen.globalAlpha = front ? 1 : FAINT;
      for (let index = 0; index < count; index += 1) {
        const key = keyOf(index);
        if (shown !== -1 && (key === shown) !== front) continue;
        const { made, side } = sprite(key);
        const x = screenX(index) - side / 2;
        const y = screenY(index) - side / 2;
        if (x > -side && y > -side && x < size.width && y < size.height) pen.drawImage(made, x, y, side, side);
      }
    }
    drawMarked();
  }

  function drawMarked() {
    const pen = layers[1];
    pen.clearRect(0, 0, size.width, size.height);
    byId("tip").hidden = marked === -1;
    if (marked === -1) return;
    const [x, y] = [screenX(marked), screenY(marked)];
    const { made, side } = sprite(keyOf(marked));
    pen.drawImage(made, x - side / 2, y - side / 2, side, side);
    pen.beginPath();
    pen.arc(x, y, radius + 4, 0, 2 * Math.PI);
    pen.strokeStyle = getComputedStyle(map).getPropertyValue("--ink");
    pen.lineWidth = 2;
    pen.stroke();
    placeTip(x, y);
  }

  function redraw() {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }

  function placeTip(x, y) {
    const tip = byId("tip");
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    const left = x + 16 + width < size.width ? x + 16 : Math.max(4, x - 16 - width);
    const top = Math.min(size.height - height - 4, Math.max(4, y - height / 2));
    tip.style.transform = `translate(${left}px, ${Math.max(4, top)}px)`;
  }

  function fit() {
    const ratio = devicePixelRatio || 1;
    size.width = map.clientWidth;
    size.height = map.clientHeight;
    size.unit = (Math.min(size.width, size.height) / 2 - 26) / reach();
    for (const pen of layers) {
      pen.canvas.width = size.width * ratio;
      pen.canvas.height = size.height * ratio;
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    sprites.clear();
    draw();
  }

  // How far the points go from the middle towards the nearer sides of the frame.
  const farthest = [data.x, data.y].map((values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9));
  function reach() {
    const side = Math.min(size.width, size.height);
    return Math.max((farthest[0] * side) / size.width, (farthest[1] * side) / size.height);
  }

  // Marking one picture

  function valueText(index) {
    const value = colouring.values[index];
    if (value === null) return `${colouring.column}: none`;
    return `${colouring.column}: ${colouring.kind === "numbers" ? shorten(value) : colouring.names[value]}`;
  }

  function mark(index, aloud = false) {
    if (index === marked) return;
    marked = index;
    const [image, caption] = byId("tip").children;
    if (index !== -1) {
      if (pictures[index]) image.src = `data:image/webp;base64,${pictures[index]}`;
      else image.removeAttribute("src");
      caption.children[0].textContent = fileName(data.paths[index]);
      caption.children[0].title = data.paths[index];
      caption.children[1].textContent = valueText(index);
      if (aloud) byId("told").textContent = `${fileName(data.paths[index])}, ${valueText(index)}`;
    }
    showTick();
    drawMarked();
  }

  const visible = (index) => chosen === -1 || keyOf(index) === chosen;

  function nearest(x, y) {
    let [best, distance] = [-1, REACH * REACH];
    for (let index = 0; index < count; index += 1) {
      const away = (screenX(index) - x) ** 2 + (screenY(index) - y) ** 2;
      if (away < distance && visible(index)) [best, distance] = [index, away];
    }
    return best;
  }

  // The nearest picture in a direction, where what lies aside counts as twice as far.
  function next(dx, dy) {
    let [best, distance] = [-1, Infinity];
    const from = marked === -1 ? [size.width / 2 - dx, size.height / 2 - dy] : [screenX(marked), screenY(marked)];
    for (let index = 0; index < count; index += 1) {
      if (index === marked || !visible(index)) continue;
      const [x, y] = [screenX(index) - from[0], screenY(index) - from[1]];
      const ahead = x * dx + y * dy;
      const aside = Math.abs(x * dy) + Math.abs(y * dx);
      if (ahead <= 0 || aside > 2 * ahead) continue;
      if (ahead + 2 * aside < distance) [best, distance] = [index, ahead + 2 * aside];
    }
    return best;
  }

  function keepInSight(index) {
    const [x, y] = [screenX(index), screenY(index)];
    if (x > 20 && y > 20 && x < size.width - 20 && y < size.height - 20) return;
    [view.x, view.y] = [data.x[index], data.y[index]];
    draw();
  }

  // Moving about

  function zoomBy(factor, x = size.width / 2, y = size.height / 2) {
    const zoom = Math.min(MAX_ZOOM, Math.max(1, view.zoom * factor));
    const away = (1 / view.zoom - 1 / zoom) / size.unit;
    view.x += (x - size.width / 2) * away;
    view.y -= (y - size.height / 2) * away;
    view.zoom = zoom;
    if (zoom === 1) view.x = view.y = 0;
    redraw();
  }

  function moveBy(dx, dy) {
    if (view.zoom === 1) return;
    view.x -= dx / size.unit / view.zoom;
    view.y += dy / size.unit / view.zoom;
    redraw();
  }

  function whole() {
    Object.assign(view, { zoom: 1, x: 0, y: 0 });
    redraw();
  }

  const fingers = new Map();
  const place = (event) => {
    const frame = map.getBoundingClientRect();
    return [event.clientX - frame.left - map.clientLeft, event.clientY - frame.top - map.clientTop];
  };

  function fingerMoved(event) {
    const now = place(event);
    const before = fingers.get(event.pointerId);
    if (!before) return void (event.pointerType !== "touch" && mark(nearest(...now)));
    if (fingers.size === 1) moveBy(now[0] - before[0], now[1] - before[1]);
    else {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = ([x, y]) => Math.max(20, Math.hypot(x - other[0], y - other[1]));
      zoomBy(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    }
    map.classList.toggle("dragged", view.zoom > 1);
    fingers.set(event.pointerId, now);
  }

  function listen() {
    map.addEventListener("pointerdown", (event) => {
      if (event.target.closest("button")) return;
      fingers.set(event.pointerId, place(event));
      map.setPointerCapture(event.pointerId);
      if (event.pointerType === "touch") mark(nearest(...place(event)), true);
    });
    map.addEventListener("pointermove", fingerMoved);
    for (const name of ["pointerup", "pointercancel"]) {
      map.addEventListener(name, (event) => {
        fingers.delete(event.pointerId);
        map.classList.remove("dragged");
      });
    }
    map.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && mark(-1));
    map.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), ...place(event));
    }, { passive: false });
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    map.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (arrows[event.key]) {
        const index = next(...arrows[event.key]);
        if (index !== -1) {
          mark(index, true);
          keepInSight(index);
        }
      } else if (event.key === "+" || event.key === "=") zoomBy(1.5);
      else if (event.key === "-") zoomBy(1 / 1.5);
      else if (event.key === "0") whole();
      else if (event.key === "Escape") mark(-1);
      else return;
      event.preventDefault();
    });
    byId("closer").addEventListener("click", () => zoomBy(1.6));
    byId("farther").addEventListener("click", () => zoomBy(1 / 1.6));
    byId("whole").addEventListener("click", whole);
    byId("column").addEventListener("input", (event) => colourBy(Number(event.target.value)));
    dark.addEventListener("change", () => colourBy(data.colourings.indexOf(colouring)));
    new ResizeObserver(fit).observe(map);
  }

  // The legend

  function colourBy(index) {
    colouring = data.colourings[index];
    chosen = hovered = -1;
    sprites.clear();
    const legend = byId("legend");
    legend.replaceChildren(element("h2", colouring.column));
    if (colouring.kind === "numbers") legend.append(scale());
    else legend.append(classes());
    const missing = colouring.values.filter((value) => value === null).length;
    if (missing && colouring.kind === "numbers") {
      const none = element("p", "", { id: "none" });
      none.append(swatch("none"), `${missing.toLocaleString("en")} without a value`);
      legend.append(none);
    }
    map.setAttribute("aria-label", `Map of ${count.toLocaleString("en")} pictures by ${colouring.column}`);
    if (marked !== -1) byId("tip").querySelector("span").textContent = valueText(marked);
    showTick();
    redraw();
  }

  function scale() {
    const made = element("div", "", { id: "scale" });
    const ramp = element("div", "", { id: "ramp" });
    ramp.style.background = `linear-gradient(to top, ${RAMP.join(", ")})`;
    const ticks = element("div", "", { id: "ticks" });
    const { low, high } = colouring;
    for (const share of high > low ? [0, 0.25, 0.5, 0.75, 1] : [0.5]) {
      const tick = element("span", shorten(low + share * (high - low)));
      tick.style.bottom = `${100 * share}%`;
      ticks.append(tick);
    }
    ticks.append(element("span", "", { class: "here", hidden: "" }));
    made.append(ramp, ticks);
    return made;
  }

  function showTick() {
    const here = document.querySelector("#ticks .here");
    if (!here) return;
    const value = marked === -1 ? null : colouring.values[marked];
    here.hidden = value === null;
    if (value === null) return;
    const { low, high } = colouring;
    here.textContent = shorten(value);
    here.style.bottom = `${high > low ? (100 * (value - low)) / (high - low) : 50}%`;
  }

  function classes() {
    const made = element("div", "", { class: "classes", role: "group", "aria-label": `Values of ${colouring.column}` });
    const totals = new Map();
    for (let index = 0; index < count; index += 1) totals.set(keyOf(index), (totals.get(keyOf(index)) || 0) + 1);
    const named = colouring.names.slice(0, HUES.length * SHAPES.length).map((name, key) => [key, name]);
    const rest = colouring.names.length - named.length;
    if (totals.has("others")) named.push(["others", `${rest.toLocaleString("en")} more`]);
    if (totals.has("none")) named.push(["none", "no value"]);
    for (const [key, name] of named) {
      const button = element("button", "", { type: "button", "aria-pressed": "false" });
      button.append(swatch(key), element("bdi", name), element("small", (totals.get(key) || 0).toLocaleString("en")));
      button.addEventListener("click", () => choose(chosen === key ? -1 : key, button));
      for (const [event, value] of [["pointerenter", key], ["pointerleave", -1]]) {
        button.addEventListener(event, ({ pointerType }) => {
          if (pointerType === "touch") return;
          hovered = value;
          redraw();
        });
      }
      made.append(button);
    }
    return made;
  }

  function choose(key, button) {
    chosen = key;
    for (const each of button.parentElement.children) each.setAttribute("aria-pressed", String(each === button && key !== -1));
    if (marked !== -1 && !visible(marked)) mark(-1);
    redraw();
  }

  function swatch(key) {
    const ratio = devicePixelRatio || 1;
    const made = element("canvas", "", { "aria-hidden": "true" });
    made.width = made.height = 18 * ratio;
    const { made: shape, side } = sprite(key);
    const pen = made.getContext("2d");
    pen.scale(ratio, ratio);
    pen.drawImage(shape, 9 - side / 2, 9 - side / 2, side, side);
    return made;
  }

  // What the page is made of

  function fill() {
    byId("about").textContent = data.about;
    byId("origin").textContent = data.origin;
    data.colourings.forEach(({ column }, index) => byId("column").append(new Option(column, index)));
    byId("column-label").hidden = data.colourings.length < 2;
  }

  fill();
  listen();
  fit();
  colourBy(0);
}

"use strict";
// The maps of the report: points that can be hovered, zoomed and picked by label, and decoders that
// run in the page. Everything stands in the page itself; nothing is loaded.
(() => {
  const holder = document.getElementById("maps-data");
  if (!holder || !window.Uint8ClampedArray) return;
  const data = JSON.parse(holder.textContent);

  // ------------------------------------------------------------------ numbers out of the page

  function half(bits) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  function numbers(packed) {
    const text = atob(packed.data), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const kinds = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u2: Uint16Array };
    if (packed.type !== "f2") return new kinds[packed.type](bytes.buffer);
    return Float32Array.from(new Uint16Array(bytes.buffer), half);
  }

  // ------------------------------------------------------------------ decoders

  function erf(x) {
    // Abramowitz and Stegun 7.1.26, to 1.5e-7
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const terms = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t +
      0.254829592) * t;
    return Math.sign(x) * (1 - terms * Math.exp(-x * x));
  }

  const FUNCTIONS = {
    relu: (x) => Math.max(x, 0),
    tanh: Math.tanh,
    logistic: (x) => 1 / (1 + Math.exp(-x)),
    exp: Math.exp,
    silu: (x) => x / (1 + Math.exp(-x)),
    gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  };

  const at = (value, i) => (typeof value === "number" ? value : value[i]);
  const product = (shape) => shape.reduce((a, b) => a * b, 1);

  const LAYERS = {
    dense({ weight, units, bias }, x) {
      const y = new Float64Array(bias.length), n = x.length;
      for (let o = 0, k = 0; o < y.length; o++) {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += weight[k++] * x[i];
        y[o] = bias[o] + units[o] * sum;
      }
      return y;
    },
    scale: ({ factor, shift }, x) => x.map((v, i) => v * at(factor, i) + at(shift, i)),
    activation: (layer, x) => x.map((v) => FUNCTIONS[layer.function](v)),
    sum: ({ paths }, x) => paths.map((path) => run(path, x))
      .reduce((a, b) => a.map((v, i) => v + b[i])),
    softmax({ group_sizes: asked }, x) {
      const y = new Float64Array(x.length);
      for (let start = 0, g = 0; start < x.length; g++) {
        const size = asked === null ? x.length : at(asked, g), end = start + size;
        let most = -Infinity, total = 0;
        for (let i = start; i < end; i++) most = Math.max(most, x[i]);
        for (let i = start; i < end; i++) total += y[i] = Math.exp(x[i] - most);
        for (let i = start; i < end; i++) y[i] /= total;
        start = end;
      }
      return y;
    },
    limits({ lower, upper, slope }, x) {
      const clip = (v, low, high) => Math.min(Math.max(v, low), high);
      return x.map((v, i) => {
        const width = upper[i] > lower[i] ? upper[i] - lower[i] : Infinity;
        const near = clip(v, lower[i] - width, upper[i] + width);
        const clipped = clip(v, lower[i], upper[i]);
        return clipped + slope * (near - clipped) + (v - near);
      });
    },
    pad({ padding: [[top, bottom], [left, right]], input_shape: [c, h, w] }, x) {
      const H = top + h + bottom, W = left + w + right, y = new Float64Array(c * H * W);
      for (let k = 0; k < c; k++)
        for (let i = 0; i < h; i++)
          for (let j = 0; j < w; j++) y[(k * H + i + top) * W + j + left] = x[(k * h + i) * w + j];
      return y;
    },
    nearest({ input_shape: [c, h, w], output_shape: [, H, W] }, x) {
      const y = new Float64Array(c * H * W);
      for (let k = 0, o = 0; k < c; k++)
        for (let i = 0; i < H; i++)
          for (let j = 0; j < W; j++)
            y[o++] = x[(k * h + Math.floor((i * h) / H)) * w + Math.floor((j * w) / W)];
      return y;
    },
    convolution(layer, x) {
      const { input_shape: [c, h, w], output_shape: [C, H, W], weight, units, bias } = layer;
      const [p, q] = layer.padding, [s, t] = layer.stride, [a, b] = layer.kernel;
      const y = new Float64Array(C * H * W);
      for (let o = 0; o < C; o++)
        for (let i = 0; i < H; i++)
          for (let j = 0; j < W; j++) {
            let sum = 0;
            for (let k = 0; k < c; k++)
              for (let u = 0; u < a; u++) {
                const row = i * s + u - p;
                if (row < 0 || row >= h) continue;
                for (let v = 0; v < b; v++) {
                  const column = j * t + v - q;
                  if (column < 0 || column >= w) continue;
                  sum += weight[((o * c + k) * a + u) * b + v] * x[(k * h + row) * w + column];
                }
              }
            y[(o * H + i) * W + j] = bias[o] + units[o] * sum;
          }
      return y;
    },
    transposed_convolution(layer, x) {
      const { input_shape: [c, h, w], output_shape: [C, H, W], weight, units, bias } = layer;
      const [p, q] = layer.padding, [s, t] = layer.stride, [a, b] = layer.kernel;
      const y = new Float64Array(C * H * W), pixels = H * W;
      for (let k = 0; k < c; k++)
        for (let i = 0; i < h; i++)
          for (let j = 0; j < w; j++) {
            const value = x[(k * h + i) * w + j];
            if (value === 0) continue;
            for (let o = 0; o < C; o++)
              for (let u = 0; u < a; u++) {
                const row = i * s + u - p;
                if (row < 0 || row >= H) continue;
                for (let v = 0; v < b; v++) {
                  const column = j * t + v - q;
                  if (column < 0 || column >= W) continue;
                  y[(o * H + row) * W + column] += value * weight[((k * C + o) * a + u) * b + v];
                }
              }
          }
      return y.map((v, i) => {
        const o = Math.floor(i / pixels);
        return bias[o] + units[o] * v;
      });
    },
  };

  const run = (layers, x) => layers.reduce((y, layer) => LAYERS[layer.kind](layer, y), x);

  function unpacked(layer) {
    if (layer.kind === "sum") return { ...layer, paths: layer.paths.map((p) => p.map(unpacked)) };
    const found = {};
    for (const [name, value] of Object.entries(layer)) {
      const isArray = value !== null && value.data !== undefined;
      found[name] = isArray ? numbers(value) : value;
      if (name === "weight") found.kernel = value.shape.slice(2);
    }
    return found;
  }

  // From a code to data, as `inverse_transform` gives them.
  function decoder(packed) {
    if (!packed) return null;
    if (packed.layers) {
      const layers = packed.layers.map(unpacked);
      return (code) => run(layers, Float64Array.from(code));
    }
    const values = numbers(packed.grid), { size, low, high } = packed;
    const factor = numbers(packed.factor), shift = numbers(packed.shift), width = shift.length;
    return (code) => {
      // between the four points about it, straight
      const place = code.map((v, k) =>
        Math.min(Math.max(((v - low[k]) / (high[k] - low[k] || 1)) * (size - 1), 0), size - 1));
      const [i, j] = place.map((v) => Math.min(Math.floor(v), size - 2));
      const [a, b] = [place[0] - i, place[1] - j];
      const corner = (u, v) => ((j + v) * size + i + u) * width;
      return Float64Array.from({ length: width }, (_, f) => shift[f] + factor[f] *
        ((1 - b) * ((1 - a) * values[corner(0, 0) + f] + a * values[corner(1, 0) + f]) +
          b * ((1 - a) * values[corner(0, 1) + f] + a * values[corner(1, 1) + f])));
    };
  }

  // ------------------------------------------------------------------ rows

  const nRows = data.names.length, target = data.target;
  const classes = target && target.classes ? numbers(target.codes) : null;
  const targets = target && target.numbers ? numbers(target.numbers) : null;
  const columns = data.columns.map((column) => ({
    ...column,
    codes: column.codes && numbers(column.codes),
    values: column.values && numbers(column.values),
  }));
  const picked = new Set();

  function rgb(hex) {
    return [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  }

  const extent = targets && (() => {
    let low = Infinity, high = -Infinity;
    for (const value of targets)
      if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
    return [low, high];
  })();

  // Colour of each row: three bytes.
  const colours = (() => {
    const found = new Uint8Array(3 * nRows);
    const palette = (target ? target.colours || target.stops : ["#4c78c8"]).map(rgb);
    for (let row = 0; row < nRows; row++) {
      let colour = palette[0];
      if (classes) colour = palette[classes[row]];
      if (targets) {
        const share = (targets[row] - extent[0]) / (extent[1] - extent[0] || 1);
        const place = (Number.isFinite(share) ? share : 0) * (palette.length - 1);
        const k = Math.min(Math.floor(place), palette.length - 2);
        colour = palette[k].map((v, c) => v + (place - k) * (palette[k + 1][c] - v));
      }
      found.set(colour, 3 * row);
    }
    return found;
  })();

  const short = (value) => {
    if (!Number.isFinite(value)) return "missing";
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e15) return String(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2);
    return String(Number(value.toPrecision(size >= 1000 ? 6 : 4)));
  };

  function day(value) {
    if (Number.isNaN(value)) return "missing";
    // rounding takes no day away
    const date = new Date(Math.floor(value + 0.01) * 864e5);
    return Number.isNaN(date.getTime()) ? "out of range" : date.toISOString().replace(/T.*/, "");
  }

  function shown(column, value) {
    if (column.kind === "date") return day(value);
    if (column.kind === "yes/no" && Number.isFinite(value)) {
      const share = Math.round(100 * Math.min(Math.max(value, 0), 1));
      return share === 0 ? "no" : share === 100 ? "yes" : `yes ${share} %`;
    }
    return short(value);
  }

  const ofTarget = (value) => (target.has_dates ? day(value) : short(value));

  function ofRow(column, row) {
    if (column.kind !== "category") return shown(column, column.values[row]);
    return column.codes[row] < 0 ? "missing" : column.words[column.codes[row]];
  }

  // What decoded features say of a column: text, and where it lies in its range.
  function decoded(column, features) {
    if (column.kind !== "category") {
      const value = features[column.features[0]] * column.scale + column.shift;
      const [low, high] = column.ends;
      return { text: shown(column, value), share: (value - low) / (high - low || 1) };
    }
    let best = 0;
    column.features.forEach((f, k) => {
      if (features[f] > features[column.features[best]]) best = k;
    });
    const share = Math.min(Math.max(features[column.features[best]], 0), 1);
    return { text: `${column.categories[best]} (${Math.round(100 * share)} %)`, share };
  }

  // ------------------------------------------------------------------ images

  const sprite = data.images && Object.assign(new Image(), { src: data.images.png });
  const SIDE = 84;

  function emptyImage(caption) {
    const figure = document.createElement("figure"), canvas = document.createElement("canvas");
    const text = document.createElement("figcaption");
    text.textContent = caption;
    figure.append(canvas, text);
    return { figure, canvas };
  }

  function fit(canvas, width, height) {
    canvas.width = width;
    canvas.height = height;
    const scale = SIDE / Math.max(width, height);
    canvas.style.width = `${Math.round(width * scale)}px`;
    canvas.style.height = `${Math.round(height * scale)}px`;
  }

  const isGrey = data.images && data.images.shape[0] === 1;

  function drawRow(canvas, row) {
    const [w, h] = data.images.size, n = data.images.columns;
    fit(canvas, w, h);
    canvas.getContext("2d").drawImage(sprite, (row % n) * w, Math.floor(row / n) * h, w, h, 0, 0, w, h);
  }

  function drawDecoded(canvas, features) {
    const [channels, height, width] = data.images.shape, [low, high] = data.images.limits;
    fit(canvas, width, height);
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    const pixels = width * height;
    for (let i = 0; i < pixels; i++) {
      for (let c = 0; c < 3; c++) {
        const value = (features[(channels === 3 ? c : 0) * pixels + i] - low) / (high - low || 1);
        image.data[4 * i + c] = 255 * (isGrey ? 1 - value : value);
      }
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  // ------------------------------------------------------------------ maps

  let marked = null;

  function Panel(map) {
    const places = numbers(map.places), rows = numbers(map.rows);
    this.map = map;
    this.rows = rows;
    // places of points, component by component
    this.x = Float64Array.from(rows, (_, i) => map.low[0] + (places[2 * i] / 65535) * map.span[0]);
    this.y = Float64Array.from(rows, (_, i) => map.low[1] + (places[2 * i + 1] / 65535) * map.span[1]);
    this.pointOf = new Int32Array(nRows).fill(-1);
    rows.forEach((row, i) => { this.pointOf[row] = i; });
    this.decode = decoder(map.decoder);
    this.reset();
  }

  Object.assign(Panel.prototype, {
    reset() {
      this.middle = this.map.low.map((v, k) => v + this.map.span[k] / 2);
      this.reach = this.map.span.map((v) => v * 1.08);
    },

    build(parent) {
      const figure = document.createElement("figure");
      figure.className = "panel";
      const caption = document.createElement("figcaption");
      caption.textContent = this.map.name;
      if (this.map.in_sample) {
        const badge = document.createElement("span");
        badge.className = "badge";
        badge.textContent = "in-sample";
        caption.append(badge);
      }
      const buttons = document.createElement("span");
      buttons.className = "zoom";
      for (const [sign, title, factor] of [["+", "Zoom in", 0.7], ["\u2212", "Zoom out", 1.4],
        ["\u2922", "Whole map", 0]]) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = sign;
        button.title = title;
        button.setAttribute("aria-label", `${title}: ${this.map.name}`);
        button.addEventListener("click", () =>
          factor ? this.zoom(factor, this.middle) : this.whole());
        buttons.append(button);
      }
      caption.append(buttons);
      this.plot = document.createElement("div");
      this.plot.className = "plot";
      this.plot.tabIndex = 0;
      this.plot.setAttribute("role", "application");
      this.plot.setAttribute("aria-label", `Map of ${this.rows.length} rows by ${this.map.name}`);
      this.plot.setAttribute("aria-describedby", "maps-help");
      this.canvas = document.createElement("canvas");
      this.marks = document.createElement("canvas");
      this.plot.append(this.canvas, this.marks);
      figure.append(caption, this.plot);
      parent.append(figure);
      listen(this);
    },

    resize() {
      const { width, height } = this.plot.getBoundingClientRect();
      const ratio = Math.min(window.devicePixelRatio || 1, 2);
      this.ratio = ratio;
      for (const canvas of [this.canvas, this.marks]) {
        canvas.width = Math.max(1, Math.round(width * ratio));
        canvas.height = Math.max(1, Math.round(height * ratio));
      }
      this.image = null;
      this.draw();
      this.mark();
    },

    // Pixel of the canvas of a code, and the code of a pixel of the page.
    column(x) { return ((x - this.middle[0]) / this.reach[0] + 0.5) * this.canvas.width; },
    line(y) { return (0.5 - (y - this.middle[1]) / this.reach[1]) * this.canvas.height; },
    code(event) {
      const box = this.plot.getBoundingClientRect();
      return [
        this.middle[0] + ((event.clientX - box.left) / box.width - 0.5) * this.reach[0],
        this.middle[1] + (0.5 - (event.clientY - box.top) / box.height) * this.reach[1],
      ];
    },

    draw() {
      const context = this.canvas.getContext("2d"), { width, height } = this.canvas;
      this.image = this.image || context.createImageData(width, height);
      const pixels = this.image.data;
      pixels.fill(0);
      const zoom = Math.min(this.map.span[0] / this.reach[0], this.map.span[1] / this.reach[1]);
      const radius = this.ratio *
        Math.min(Math.max(Math.sqrt(9000 / this.rows.length), 1.1), 4) * Math.min(zoom ** 0.25 + 0.05, 2);
      const stamp = disc(radius), n = this.rows.length;
      // what is not picked lies below and faint
      for (const on of picked.size ? [false, true] : [true])
        for (let i = 0; i < n; i++) {
          const row = this.rows[i];
          if (picked.size && picked.has(classes[row]) !== on) continue;
          const c = Math.round(this.column(this.x[i])), l = Math.round(this.line(this.y[i]));
          if (c < -8 || l < -8 || c > width + 8 || l > height + 8) continue;
          blend(pixels, width, height, c, l, stamp, row, on);
        }
      context.putImageData(this.image, 0, 0);
    },

    mark() {
      const context = this.marks.getContext("2d");
      context.clearRect(0, 0, this.marks.width, this.marks.height);
      const i = marked === null ? -1 : this.pointOf[marked];
      if (i < 0) return;
      const [c, l] = [this.column(this.x[i]), this.line(this.y[i])], r = this.ratio;
      for (const [radius, line, colour] of [[7 * r, 4 * r, "#ffffff"], [7 * r, 2 * r, "#000000"]]) {
        context.beginPath();
        context.arc(c, l, radius, 0, 2 * Math.PI);
        context.lineWidth = line;
        context.strokeStyle = colour;
        context.stroke();
      }
    },

    // The row whose point is nearest to a code and within some pixels of the page; null for none.
    nearest([x, y], within = 14) {
      const box = this.plot.getBoundingClientRect();
      const fx = box.width / this.reach[0], fy = box.height / this.reach[1];
      let best = within ** 2, found = null;
      for (let i = 0; i < this.rows.length; i++) {
        if (picked.size && !picked.has(classes[this.rows[i]])) continue;
        const d = ((this.x[i] - x) * fx) ** 2 + ((this.y[i] - y) * fy) ** 2;
        if (d < best) [best, found] = [d, this.rows[i]];
      }
      return found;
    },

    whole() {
      this.reset();
      this.plot.style.touchAction = "";
      later(this);
    },

    isZoomed() {
      return this.reach[0] < 0.99 * this.map.span[0];
    },

    // Zoom about a code that stays where it is.
    zoom(factor, [x, y]) {
      const wanted = this.reach[0] * factor / this.map.span[0];
      if (wanted > 4 || wanted < 1e-3) return;
      this.middle = [x + (this.middle[0] - x) * factor, y + (this.middle[1] - y) * factor];
      this.reach = this.reach.map((v) => v * factor);
      // a finger moves a map that is zoomed, and scrolls the page over a whole one
      this.plot.style.touchAction = this.isZoomed() ? "none" : "";
      later(this);
    },
  });

  const panels = data.maps.map((map) => new Panel(map));

  // Cover of the pixels about the middle of a disc: [column, line, share].
  const discs = new Map();
  function disc(radius) {
    const key = radius.toFixed(1);
    if (!discs.has(key)) {
      const far = Math.ceil(radius), found = [];
      for (let l = -far; l <= far; l++)
        for (let c = -far; c <= far; c++) {
          const cover = Math.min(Math.max(radius + 0.5 - Math.hypot(c, l), 0), 1);
          if (cover > 0) found.push(c, l, cover);
        }
      discs.set(key, Float64Array.from(found));
    }
    return discs.get(key);
  }

  function blend(pixels, width, height, column, line, stamp, row, on) {
    const r = on ? colours[3 * row] : 150, g = on ? colours[3 * row + 1] : 155;
    const b = on ? colours[3 * row + 2] : 165, opacity = on ? 0.85 : 0.18;
    for (let k = 0; k < stamp.length; k += 3) {
      const c = column + stamp[k], l = line + stamp[k + 1];
      if (c < 0 || l < 0 || c >= width || l >= height) continue;
      const at = 4 * (l * width + c), a = stamp[k + 2] * opacity;
      const below = (pixels[at + 3] / 255) * (1 - a), all = a + below;
      pixels[at] = (r * a + pixels[at] * below) / all;
      pixels[at + 1] = (g * a + pixels[at + 1] * below) / all;
      pixels[at + 2] = (b * a + pixels[at + 2] * below) / all;
      pixels[at + 3] = 255 * all;
    }
  }

  // ------------------------------------------------------------------ what is said of a point

  const tip = document.getElementById("maps-tip"), say = document.getElementById("maps-say");
  const parts = {};

  function buildTip() {
    parts.head = document.createElement("p");
    parts.images = document.createElement("div");
    parts.images.className = "images";
    if (data.images) {
      parts.row = emptyImage("this row");
      parts.here = emptyImage("decoded here");
      parts.images.append(parts.row.figure, parts.here.figure);
    }
    parts.table = document.createElement("table");
    tip.append(parts.head, parts.images, parts.table);
  }

  function nameOf(row) {
    const value = classes ? target.classes[classes[row]] : targets ? ofTarget(targets[row]) : "";
    return `row ${data.names[row]}${value ? ` · ${value}` : ""}`;
  }

  function show(panel, code, row, clientX, clientY) {
    const features = panel.decode ? panel.decode(code) : null;
    if (row === null && !features) return hide();
    parts.head.textContent = row === null ? "between the rows" : nameOf(row);
    if (data.images) {
      parts.row.figure.hidden = row === null;
      parts.here.figure.hidden = !features;
      if (row !== null) drawRow(parts.row.canvas, row);
      if (features) drawDecoded(parts.here.canvas, features);
    }
    parts.table.replaceChildren();
    if (columns.length) {
      const head = parts.table.insertRow();
      for (const text of ["", ...(row === null ? [] : ["row"]), ...(features ? ["decoded"] : [])]) {
        const cell = document.createElement("th");
        cell.textContent = text;
        head.append(cell);
      }
    }
    for (const column of columns) {
      const line = parts.table.insertRow();
      line.insertCell().textContent = column.name;
      if (row !== null) line.insertCell().textContent = ofRow(column, row);
      if (features) {
        const { text, share } = decoded(column, features), cell = line.insertCell();
        const width = 100 * Math.min(Math.max(share, 0), 1);
        cell.textContent = text;
        cell.style.backgroundSize = `${width}% 100%`;
        cell.className = "bar";
      }
    }
    tip.hidden = false;
    const box = tip.getBoundingClientRect(), gap = 18;
    const left = clientX + gap + box.width > innerWidth ? clientX - gap - box.width : clientX + gap;
    const top = clientY + gap + box.height > innerHeight ? clientY - gap - box.height : clientY + gap;
    tip.style.left = `${Math.max(4, Math.min(left, innerWidth - box.width - 4))}px`;
    tip.style.top = `${Math.max(4, Math.min(top, innerHeight - box.height - 4))}px`;
  }

  function hide() {
    tip.hidden = true;
  }

  function markRow(row) {
    if (row === marked) return;
    marked = row;
    panels.forEach((panel) => panel.mark());
  }

  // ------------------------------------------------------------------ mouse, fingers, keys

  const waiting = new Set();
  function later(panel) {
    if (!waiting.size)
      requestAnimationFrame(() => {
        for (const each of waiting) {
          each.draw();
          each.mark();
        }
        waiting.clear();
      });
    waiting.add(panel);
  }

  function listen(panel) {
    const { plot } = panel, fingers = new Map();
    let next = null;

    const look = (event) => {
      if (!next) requestAnimationFrame(() => {
        const { clientX, clientY } = next, code = panel.code(next), row = panel.nearest(code);
        next = null;
        markRow(row);
        show(panel, code, row, clientX, clientY);
      });
      next = event;
    };

    plot.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      fingers.set(event.pointerId, event);
      if (event.pointerType === "mouse") plot.setPointerCapture(event.pointerId);
      look(event);
    });
    plot.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return look(event);
      const others = [...fingers.values()].filter((other) => other.pointerId !== event.pointerId);
      const box = plot.getBoundingClientRect();
      if (others.length) {
        const gap = (a) => Math.hypot(a.clientX - others[0].clientX, a.clientY - others[0].clientY);
        panel.zoom(gap(before) / Math.max(gap(event), 1), panel.code(event));
      } else if (event.pointerType === "mouse" || panel.isZoomed()) {
        panel.middle = [
          panel.middle[0] - ((event.clientX - before.clientX) / box.width) * panel.reach[0],
          panel.middle[1] + ((event.clientY - before.clientY) / box.height) * panel.reach[1],
        ];
        hide();
        later(panel);
      }
      fingers.set(event.pointerId, event);
    });
    for (const end of ["pointerup", "pointercancel"])
      plot.addEventListener(end, (event) => fingers.delete(event.pointerId));
    plot.addEventListener("pointerleave", (event) => {
      fingers.delete(event.pointerId);
      if (event.pointerType === "mouse") requestAnimationFrame(() => { markRow(null); hide(); });
    });
    // over a map that was not clicked the wheel scrolls the page
    plot.addEventListener("wheel", (event) => {
      if (document.activeElement !== plot && !event.ctrlKey) return;
      event.preventDefault();
      panel.zoom(2 ** (Math.sign(event.deltaY) / 4), panel.code(event));
    }, { passive: false });
    plot.addEventListener("dblclick", () => panel.whole());
    plot.addEventListener("keydown", (event) => key(panel, event));
    plot.addEventListener("blur", hide);
  }

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  function key(panel, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow && event.shiftKey) {
      panel.middle = panel.middle.map((v, k) => v + 0.1 * arrow[k] * panel.reach[k]);
      later(panel);
    } else if (arrow) {
      step(panel, arrow);
    } else if (event.key === "+" || event.key === "-") {
      panel.zoom(event.key === "+" ? 0.8 : 1.25, panel.middle);
    } else if (event.key === "0") {
      panel.whole();
    } else if (event.key === "Escape") {
      markRow(null);
      hide();
    } else return;
    event.preventDefault();
  }

  // From the marked row to the nearest one in a direction.
  function step(panel, [right, up]) {
    const from = marked === null ? -1 : panel.pointOf[marked];
    const x = from < 0 ? panel.middle[0] : panel.x[from], y = from < 0 ? panel.middle[1] : panel.y[from];
    let best = Infinity, found = null;
    for (let i = 0; i < panel.rows.length; i++) {
      if (i === from || (picked.size && !picked.has(classes[panel.rows[i]]))) continue;
      const dx = (panel.x[i] - x) / panel.reach[0], dy = (panel.y[i] - y) / panel.reach[1];
      const along = right * dx + up * dy, across = Math.abs(right * dy) + Math.abs(up * dx);
      if (from >= 0 && (along <= 0 || across > along)) continue;
      const d = dx * dx + dy * dy;
      if (d < best) [best, found] = [d, i];
    }
    if (found === null) return;
    markRow(panel.rows[found]);
    const box = panel.plot.getBoundingClientRect(), ratio = panel.ratio;
    const [c, l] = [panel.column(panel.x[found]) / ratio, panel.line(panel.y[found]) / ratio];
    show(panel, [panel.x[found], panel.y[found]], marked, box.left + c, box.top + l);
    say.textContent = tip.innerText;
  }

  // ------------------------------------------------------------------ labels

  function legend(parent) {
    if (classes)
      target.classes.forEach((name, place) => {
        const button = document.createElement("button"), dot = document.createElement("i");
        button.type = "button";
        button.setAttribute("aria-pressed", "false");
        dot.style.background = target.colours[place];
        button.append(dot, name);
        button.addEventListener("click", () => pick(place, button));
        parent.append(button);
      });
    if (targets) {
      const bar = document.createElement("i");
      bar.className = "range";
      bar.style.background = `linear-gradient(to right, ${target.stops.join(",")})`;
      parent.append(ofTarget(extent[0]), bar, ofTarget(extent[1]));
    }
    parent.hidden = !target;
  }

  function pick(place, button) {
    if (!picked.delete(place)) picked.add(place);
    button.setAttribute("aria-pressed", String(picked.has(place)));
    panels.forEach((panel) => panel.draw());
  }

  // ------------------------------------------------------------------ start

  const live = document.getElementById("maps-live");
  document.getElementById("maps-help").textContent = "Point at a map, or tap it: the row there is " +
    "marked in all of them" +
    (panels.some((panel) => panel.decode) ? ", and what the point decodes to is shown. " : ". ") +
    "Click a map and scroll, or use its buttons, two fingers or + and \u2212, to zoom; drag, or " +
    "use shift and arrows, to move; double-click or 0 for the whole map. Arrows go from row to row." +
    (classes ? " Labels pick their rows." : "");
  legend(document.getElementById("maps-legend"));
  buildTip();
  const grid = document.getElementById("maps-grid");
  panels.forEach((panel) => panel.build(grid));
  for (const name of ["scroll", "pointerdown"])
    addEventListener(name, (event) => {
      if (!(event.target.closest && event.target.closest(".plot"))) hide();
    }, { passive: true, capture: true });
  // what was shown so far stays where anything above fails
  document.documentElement.classList.add("live");
  const resize = () => panels.forEach((panel) => panel.resize());
  resize();
  new ResizeObserver(resize).observe(live);
  // for tests and for whoever wants more of a map
  window.sklearnAeMaps = { panels, data, decoder };
})();

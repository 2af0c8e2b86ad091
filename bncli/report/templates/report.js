"use strict";
(function () {
  // Tables: a click on a header sorts by its column.
  function key(cell) {
    var text = cell.textContent.trim().replace(/,(?=\d{3})/g, "");
    if (/^(baseline )?(never|inf)\b/.test(text)) { return Infinity; }
    if (text === "arm never") { return 0; }
    var number = parseFloat(text.replace(/^[<>] /, ""));
    return isNaN(number) ? text : number;
  }
  function compare(a, b) {
    var numbers = (typeof a === "number") - (typeof b === "number");
    if (numbers) { return -numbers; }
    if (typeof a === "number") { return a === b ? 0 : a - b; }
    return a.localeCompare(b);
  }
  function sort(head) {
    var column = head.cellIndex, body = head.closest("table").tBodies[0];
    var down = head.getAttribute("aria-sort") === "ascending";
    head.parentNode.querySelectorAll("th").forEach(function (other) { other.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    var rows = Array.from(body.rows).map(function (row) {
      row.classList.remove("first");
      return [key(row.cells[column]), row];
    });
    var known = rows.filter(function (pair) { return pair[0] !== "-"; });
    var missing = rows.filter(function (pair) { return pair[0] === "-"; });
    known.sort(function (a, b) { return down ? compare(b[0], a[0]) : compare(a[0], b[0]); });
    known.concat(missing).forEach(function (pair) { body.appendChild(pair[1]); });
  }
  function button(text, act) {
    var made = document.createElement("button");
    made.type = "button";
    made.addEventListener("click", act);
    made.append(text);
    return made;
  }
  document.querySelectorAll("table.sortable thead th").forEach(function (head) {
    head.replaceChildren(button(head.textContent, function () { sort(head); }));
  });

  // Figures: a click on an arm hides it in all figures.
  var hidden = new Set(), chips = [];
  function toggle(name) {
    var hide = !hidden.has(name);
    hidden[hide ? "add" : "delete"](name);
    chips.filter(function (chip) { return chip.name === name; }).forEach(function (chip) {
      chip.button.setAttribute("aria-pressed", String(!hide));
      chip.figure.querySelectorAll(".panel .arm-" + chip.arm).forEach(function (part) { part.style.display = hide ? "none" : ""; });
    });
  }
  document.querySelectorAll(".legend li").forEach(function (item) {
    var name = item.dataset.name, made = button("", function () { toggle(name); });
    made.setAttribute("aria-pressed", "true");
    made.replaceChildren.apply(made, Array.from(item.childNodes));
    item.replaceChildren(made);
    chips.push({name: name, arm: item.dataset.arm, figure: item.closest("figure"), button: made});
  });

  // The value under the pointer, and with the arrow keys.
  var tip = document.createElement("div"), ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);
  ring.setAttribute("class", "point");
  ring.setAttribute("r", "5");
  function forget() { tip.hidden = true; ring.remove(); }
  function nameOf(svg, arm) {
    var item = svg.closest("figure").querySelector('.legend li[data-arm="' + arm + '"]');
    return item ? item.dataset.name : "";
  }
  function tell(svg, arm, point) {
    ring.setAttribute("cx", point[0]);
    ring.setAttribute("cy", point[1]);
    svg.append(ring);
    var score = svg.dataset.y ? ", " + svg.dataset.y + " " + point[3] : "";
    var name = nameOf(svg, arm);
    tip.textContent = (name ? name + ": " : "") + svg.dataset.x + " " + point[2] + score;
    tip.hidden = false;
    var at = new DOMPoint(point[0], point[1]).matrixTransform(svg.getScreenCTM());
    var right = document.documentElement.clientWidth - tip.offsetWidth - 4;
    tip.style.left = Math.max(4, Math.min(at.x + 10, right)) + window.scrollX + "px";
    tip.style.top = at.y - tip.offsetHeight - 10 + window.scrollY + "px";
  }
  function watch(svg) {
    var curves = JSON.parse(svg.dataset.points).map(function (numbers) {
      var points = [];
      for (var i = 1; i < numbers.length; i += 4) { points.push(numbers.slice(i, i + 4)); }
      return {arm: numbers[0], points: points};
    });
    if (!curves.length) { return; }
    var place = [0, -1];
    function visible() { return curves.filter(function (curve) { return !hidden.has(nameOf(svg, curve.arm)) && curve.points.length; }); }
    svg.tabIndex = 0;
    function follow(event) {
      var at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      var best = {far: 900};
      visible().forEach(function (curve) {
        curve.points.forEach(function (point) {
          var far = Math.pow(point[0] - at.x, 2) + Math.pow(point[1] - at.y, 2);
          if (far < best.far) { best = {far: far, arm: curve.arm, point: point}; }
        });
      });
      if (best.point) { tell(svg, best.arm, best.point); } else { forget(); }
    }
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("click", follow);
    svg.addEventListener("pointerleave", function (event) { if (event.pointerType !== "touch") { forget(); } });
    svg.addEventListener("blur", forget);
    svg.addEventListener("keydown", function (event) {
      var steps = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key], found = visible();
      if (event.key === "Escape") { forget(); }
      if (!steps || !found.length) { return; }
      event.preventDefault();
      place[0] = (place[0] + steps[0] + found.length) % found.length;
      var points = found[place[0]].points;
      place[1] = Math.max(0, Math.min(points.length - 1, place[1] + steps[1]));
      tell(svg, found[place[0]].arm, points[place[1]]);
    });
  }
  document.querySelectorAll(".panel svg").forEach(watch);

  // A panel among several can be enlarged.
  document.querySelectorAll(".panel:not(:only-child)").forEach(function (panel) {
    var made = button("\u2922", function () {
      forget();
      made.setAttribute("aria-pressed", String(panel.classList.toggle("large")));
    });
    made.className = "enlarge";
    made.setAttribute("aria-label", "Enlarge this panel");
    made.setAttribute("aria-pressed", "false");
    panel.append(made);
  });

  // What is folded opens when the list of contents leads to it, and for print.
  function unfold(anchor) {
    var target = document.getElementById(anchor);
    if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  }
  document.querySelectorAll('a[href^="#"]').forEach(function (link) {
    link.addEventListener("click", function () { unfold(link.getAttribute("href").slice(1)); });
  });
  window.addEventListener("hashchange", function () { unfold(location.hash.slice(1)); });
  unfold(location.hash.slice(1));
  var closed = [];
  window.addEventListener("beforeprint", function () {
    closed = Array.from(document.querySelectorAll("details:not([open])"));
    closed.forEach(function (part) { part.open = true; });
  });
  window.addEventListener("afterprint", function () { closed.forEach(function (part) { part.open = false; }); });
})();

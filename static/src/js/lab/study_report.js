// The result of a study: the curve with the bounds of its windows, and the map of scores.

import { pageData } from "../elements.js";
import { HeatMap } from "./heat.js";
import { labelCells } from "./report.js";

/** Draw what is in #study-report, once it is on the page. The chart library comes when there is something to draw. */
export async function startStudy() {
  const report = document.getElementById("study-report");
  if (!report || report.dataset.started) return;
  report.dataset.started = "yes";
  const data = pageData("study-data");
  labelCells(report);
  const place = document.getElementById("heat-map");
  const heat = place && data.maps.length ? new HeatMap(place, data) : null;
  const [{ EquityChart }, { Bounds }] = await Promise.all([import("./equity.js"), import("./bounds.js")]);
  const node = document.getElementById("study-chart");
  node.replaceChildren();
  const chart = new EquityChart(node, data, document.getElementById("study-legend"));
  if (data.starts.length) chart.equity.attachPrimitive(new Bounds(data.starts));
  Object.assign(window, { clusterx: { study: chart, heat } }); // for tests in a browser and for the curious
}

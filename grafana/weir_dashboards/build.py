"""Turns tables of panels into Grafana's model with the Grafana Foundation SDK."""

from grafana_foundation_sdk.builders import (
    bargauge, common, dashboard, heatmap, prometheus, stat, statetimeline, table, timeseries,
)
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heatmap_model
from grafana_foundation_sdk.models import prometheus as prometheus_model

from .panel import STATES, Dashboard, Panel

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24
ALL = model.VariableOption(selected=True, text="All", value="$__all")


def build(table_of_panels: Dashboard) -> model.Dashboard:
    """The whole dashboard."""
    builder = (
        dashboard.Dashboard(table_of_panels.title)
        .uid(table_of_panels.uid)
        .description(table_of_panels.description)
        .tags(list(table_of_panels.tags))
        .readonly()
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(_links())
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_variable("job", "Job", "label_values(weir_build_info, job)"))
        .with_variable(_variable("instance", "Instance", 'label_values(weir_build_info{job=~"$job"}, instance)'))
    )
    if table_of_panels.has_routes:
        query = 'label_values(weir_route_info{job=~"$job", instance=~"$instance"}, route)'
        builder.with_variable(_variable("route", "Route", query))
    identity, y = 1, 0
    for row in table_of_panels.rows:
        if row.title:
            builder.with_row(dashboard.Row(row.title).id(identity).grid_pos(model.GridPos(h=1, w=WIDTH, x=0, y=y)))
            identity, y = identity + 1, y + 1
        x = line_height = 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, line_height = 0, y + line_height, 0
            position = model.GridPos(h=panel.height, w=panel.width, x=x, y=y)
            builder.with_panel(_panel(panel).id(identity).grid_pos(position))
            identity, x, line_height = identity + 1, x + panel.width, max(line_height, panel.height)
        y += line_height
    return builder.build()


def _links() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Weir")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags(["weir"])
        .tooltip("The other dashboards of Weir")
        .include_vars(True)
        .keep_time(True)
    )


def _variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": "variable"})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(ALL)
    )


def _panel(panel: Panel):
    builder = SHAPES[panel.shape](panel)
    builder.title(panel.title).description(panel.description).unit(panel.unit).datasource(DATASOURCE)
    steps = [model.Threshold(value=value, color=color) for value, color in panel.thresholds]
    builder.thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.maximum is not None:
        builder.min(0).max(panel.maximum)
    # Now means now: the last value within the range would show an instance that is gone as if it were there.
    is_instant = panel.shape in ("stat", "bars", "table")
    for index, query in enumerate(panel.queries):
        target = (
            prometheus.Dataquery()
            .expr(query.expression)
            .ref_id(chr(ord("A") + index))
            .datasource(DATASOURCE)
            .legend_format(query.legend or "__auto")
        )
        target.instant() if is_instant else target.range()
        if panel.shape == "heatmap":
            target.format(prometheus_model.PromQueryFormat.HEATMAP)
        elif panel.shape == "table":
            target.format(prometheus_model.PromQueryFormat.TABLE)
        builder.with_target(target)
    return builder


def _stat(panel: Panel) -> stat.Panel:
    return (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(common_model.BigValueColorMode.VALUE)
        .graph_mode(common_model.BigValueGraphMode.NONE)
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    )


def _lines(panel: Panel) -> timeseries.Panel:
    builder = (
        timeseries.Panel()
        .legend(
            common.VizLegendOptions()
            .display_mode(common_model.LegendDisplayMode.LIST)
            .placement(common_model.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
        .tooltip(common.VizTooltipOptions().mode(common_model.TooltipDisplayMode.MULTI))
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .line_width(1)
        .fill_opacity(10)
        .axis_soft_min(0)
        .show_points(common_model.VisibilityMode.NEVER)
    )
    if len(panel.thresholds) > 1 and panel.maximum is not None:
        builder.thresholds_style(common.GraphThresholdsStyleConfig().mode(common_model.GraphThresholdsStyleMode.DASHED))
    return builder


def _stack(panel: Panel) -> timeseries.Panel:
    stacking = common.StackingConfig().mode(common_model.StackingMode.NORMAL).group("A")
    return _lines(panel).stacking(stacking).fill_opacity(30)


def _bars(panel: Panel) -> bargauge.Panel:
    chosen = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", "job", "instance"))
    link = dashboard.DashboardLink("Show the route").url(
        f"/d/weir-route?{chosen}&var-route=${{__field.labels.route}}&${{__url_time_range}}")
    return (
        bargauge.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .orientation(common_model.VizOrientation.HORIZONTAL)
        .display_mode(common_model.BarGaugeDisplayMode.BASIC)
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .min(0)
        .data_links([link])
    )


def _heatmap(panel: Panel) -> heatmap.Panel:
    return (
        heatmap.Panel()
        .calculate(False)
        .cell_gap(1)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmap_model.HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .steps(64)
            .scale(heatmap_model.HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .fill("dark-orange")
        )
        .y_axis(heatmap.YAxisConfig().unit(panel.unit).axis_placement(common_model.AxisPlacement.LEFT))
        .show_legend()
    )


def _states(panel: Panel) -> statetimeline.Panel:
    texts = {
        str(number): model.ValueMappingResult(text=text, color=color, index=number)
        for number, (text, color) in enumerate(STATES, 1)
    }
    return (
        statetimeline.Panel()
        .mappings([model.ValueMap(texts)])
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .merge_values(True)
        .show_value(common_model.VisibilityMode.AUTO)
        .row_height(0.8)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_model.LegendDisplayMode.LIST)
            .placement(common_model.LegendPlacement.BOTTOM)
            .show_legend(False)
            .calcs([])
        )
    )


def _table(panel: Panel) -> table.Panel:
    hide = {"excludeByName": {"Time": True, "Value": True, "__name__": True}, "indexByName": {}, "renameByName": {}}
    return (
        table.Panel()
        .show_header(True)
        .with_transformation(model.DataTransformerConfig(id_val="organize", options=hide))
    )


SHAPES = {
    "stat": _stat, "lines": _lines, "stack": _stack, "bars": _bars, "heatmap": _heatmap, "states": _states,
    "table": _table,
}

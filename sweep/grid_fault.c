/* grid_fault.c - faults and warnings of a grid, with their places. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sweep/grid.h"

__attribute__((format(printf, 4, 0))) static void
record(struct grid *grid, struct grid_faults *list, int line, const char *fmt, va_list args)
{
    char text[1024];

    vsnprintf(text, sizeof text, fmt, args);
    if (list->count == GRID_MAX_FAULTS)
        return;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].line == line && strcmp(list->items[i].text, text) == 0)
            return;
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        list->items = cs_xrealloc(list->items, list->capacity * sizeof *list->items);
    }
    list->items[list->count++] =
        (struct sweep_grid_fault){line, cs_arena_strdup(&grid->arena, text)};
}

void sweep_grid_fault(struct grid *grid, int line, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    record(grid, &grid->faults, line, fmt, args);
    va_end(args);
}

void sweep_grid_warn(struct grid *grid, int line, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    record(grid, &grid->warnings, line, fmt, args);
    va_end(args);
}

const char *sweep_grid_where(struct grid *grid, int line, int at)
{
    if (line >= GRID_COMMAND_LINE)
        return "command line";
    const int number = line % GRID_FILE_LINES, file = line / GRID_FILE_LINES;
    if (at < GRID_COMMAND_LINE && file == at / GRID_FILE_LINES)
        return cs_arena_printf(&grid->arena, "line %d", number);
    return cs_arena_printf(&grid->arena, "%s:%d", grid->files[file].path, number);
}

static int fault_rank(const struct sweep_grid_fault *fault)
{
    if (fault->line == 0)
        return GRID_COMMAND_LINE - 1;
    return fault->line;
}

/* Insertion sort: stable, and there are GRID_MAX_FAULTS at most. */
void sweep_grid_faults_sort(struct grid_faults *faults)
{
    for (size_t i = 1; i < faults->count; i++) {
        const struct sweep_grid_fault fault = faults->items[i];
        size_t j = i;
        for (; j > 0 && fault_rank(&faults->items[j - 1]) > fault_rank(&fault); j--)
            faults->items[j] = faults->items[j - 1];
        faults->items[j] = fault;
    }
}

void sweep_grid_faults_print(struct cs_buf *out, const struct grid *grid,
                             const struct grid_faults *faults, size_t index)
{
    const struct sweep_grid_fault *fault = &faults->items[index];

    if (fault->line >= GRID_COMMAND_LINE)
        cs_buf_addf(out, "command line: %s", fault->text);
    else if (fault->line % GRID_FILE_LINES)
        cs_buf_addf(out, "%s:%d: %s", grid->files[fault->line / GRID_FILE_LINES].path,
                    fault->line % GRID_FILE_LINES, fault->text);
    else
        cs_buf_addf(out, "%s: %s", grid->files[fault->line / GRID_FILE_LINES].path, fault->text);
}

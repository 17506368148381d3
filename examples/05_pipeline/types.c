/* SPDX-License-Identifier: MIT */
#include "pipeline.h"

static const rp_field stanza_fields[] = {RP_FIELD(struct stanza, id, RP_U64), RP_FIELD(struct stanza, text, RP_TEXT)};
static const rp_field names_fields[] = {RP_FIELD(struct names, id, RP_U64), RP_FIELD(struct names, lines, RP_TEXT)};
static const rp_field total_fields[] = {RP_FIELD(struct total, stanzas, RP_U64)};
static const rp_field lost_fields[] = {
    RP_FIELD(struct lost, node, RP_U64), RP_FIELD(struct lost, sent, RP_U64), RP_FIELD(struct lost, name, RP_CHARS)};
static const rp_field done_fields[] = {RP_FIELD(struct done, stanzas, RP_U64)};

const rp_type stanza_type = RP_TYPE("pipeline.stanza", struct stanza, stanza_fields);
const rp_type names_type = RP_TYPE("pipeline.names", struct names, names_fields);
const rp_type total_type = RP_TYPE("pipeline.total", struct total, total_fields);
const rp_type lost_type = RP_TYPE("pipeline.lost", struct lost, lost_fields);
const rp_type done_type = RP_TYPE("pipeline.done", struct done, done_fields);

const rp_type *const pipeline_types[] = {&stanza_type, &names_type, &total_type, &lost_type, &done_type, NULL};

#pragma once

#include <memory>

#include "models/head.h"

namespace st {

// A module { type: 'LogitScore', trueTokenId, falseTokenId }: the logit of one word after the last token of a row, less
// that of the other where there is one. It leaves scores [rows, 1] where other heads leave an embedding, and reads only
// the rows of these words of `matrix` [vocabulary, width], the last layer of a model for the next token.
// Source: sentence-transformers, cross_encoder/modules/logit_score.py.
std::unique_ptr<Head> make_logit_score_head(const Config& module, ParamId matrix, int64_t vocabulary, double softcap);

}  // namespace st

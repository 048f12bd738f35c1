#pragma once

#include <memory>
#include <string>

#include "layers/language_model.h"

namespace st {

// BertLMHeadModel with is_decoder and add_cross_attention, post-norm. Its cross-attention sees one vector for each row.
std::unique_ptr<LanguageModelDecoder> make_decoder(const Config& config, DecoderTies ties, int64_t width,
                                                   Layout& layout, const std::string& prefix);

}  // namespace st

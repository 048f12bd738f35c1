#include <cstdint>
#include <string>
#include <vector>

#include "binding/convert.h"
#include "binding/fields.h"
#include "core/error.h"

namespace st::binding {

namespace {

GenerationOptions::EarlyStopping to_early_stopping(Napi::Value value, const std::string& field) {
  using Kind = GenerationOptions::EarlyStopping;
  if (value.IsUndefined()) return Kind::kNo;
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value() ? Kind::kYes : Kind::kNo;
  if (value.IsString() && value.As<Napi::String>().Utf8Value() == "never") return Kind::kNever;
  wrong_type(field, "true, false or 'never'", value);
}

int32_t to_token(Napi::Value value, const std::string& field) {
  const int64_t token = to_integer(value, field, 0);
  check(token <= INT32_MAX, "ERR_INVALID_ARGUMENT", "Expected a token id for ", field, ", found ", token);
  return static_cast<int32_t>(token);
}

}  // namespace

GenerationOptions to_generation_options(Napi::Value value) {
  const Fields fields(value, "options",
                      {"start", "ends", "mostTokens", "leastTokens", "sample", "temperature", "topK", "topP", "beams",
                       "lengthPenalty", "earlyStopping", "answers", "noRepeatNgram", "seed", "firstPrompt"});
  GenerationOptions out;
  const auto integer = [&](const char* name, int64_t least, int64_t fallback) {
    return fields.has(name) ? to_integer(fields.get(name), fields.path(name), least) : fallback;
  };
  out.start = to_token(fields.get("start"), fields.path("start"));
  const Napi::Int32Array ends = to_integers(fields.get("ends"), fields.path("ends"));
  out.ends.assign(ends.Data(), ends.Data() + ends.ElementLength());
  out.most_tokens = to_integer(fields.get("mostTokens"), fields.path("mostTokens"), 1);
  out.least_tokens = integer("leastTokens", 0, out.least_tokens);
  out.sample = fields.boolean("sample", out.sample);
  out.temperature = fields.number("temperature", out.temperature);
  out.top_k = integer("topK", 0, out.top_k);
  out.top_p = fields.number("topP", out.top_p);
  out.beams = integer("beams", 1, out.beams);
  out.length_penalty = fields.number("lengthPenalty", out.length_penalty);
  out.early_stopping = to_early_stopping(fields.get("earlyStopping"), fields.path("earlyStopping"));
  out.answers = integer("answers", 1, out.answers);
  out.no_repeat_ngram = integer("noRepeatNgram", 0, out.no_repeat_ngram);
  out.seed = static_cast<uint64_t>(integer("seed", 0, 0));
  out.first_prompt = integer("firstPrompt", 0, out.first_prompt);
  return out;
}

}  // namespace st::binding

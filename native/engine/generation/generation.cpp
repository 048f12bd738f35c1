#include "engine/generation/generation.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_log_softmax.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/profile.h"
#include "core/sizes.h"
#include "core/upload.h"
#include "engine/encoder_impl.h"
#include "engine/generation/search.h"
#include "ops/linear.h"

namespace st {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Of keys and values of `places` tokens.
int64_t bytes_of(int64_t places, int64_t width, int64_t layers, at::ScalarType type) {
  return checked_product("the cache of a generation",
                         {places, width, layers, static_cast<int64_t>(c10::elementSize(type))});
}

}  // namespace

Generation::Generation(std::shared_ptr<Encoder> encoder, Rows prompts, const GenerationOptions& options)
    : encoder_(std::move(encoder)),
      network_(encoder_->impl().network),
      prompts_(std::move(prompts)),
      options_(options),
      workspace_(network_.device()) {
  check(network_.decoder() != nullptr, "ERR_INVALID_ARGUMENT", "Only a model with its decoder writes texts");
  const ModelSizes& sizes = network_.model().sizes();
  options_.check(sizes.vocabulary);
  prompts_.validate(sizes.vocabulary, sizes.token_types, sizes.positions);
  // Places are numbered with 32 bits.
  constexpr int64_t kMostPlaces = (int64_t{1} << 31) - 1;
  const int64_t most = kMostPlaces / options_.most_tokens / std::max<int64_t>(prompts_.rows(), 1);
  check(options_.sequences() <= most, "ERR_INVALID_ARGUMENT", "Expected at most ", kMostPlaces,
        " tokens of all texts together, found ", options_.sequences(), " texts of up to ", options_.most_tokens,
        " for each of ", prompts_.rows(), " prompts");
  const Decoder::CacheShape shape = network_.decoder()->cache_shape();
  // Several texts of a prompt read its keys and values together, which takes less time than computing with states as
  // wide as the model. One text takes about as long either way, with a fraction of the memory.
  keeps_states_ =
      options_.sequences() == 1 && network_.device().is_cpu() && !network_.int8() && network_.decoder()->reads_states();
  bytes_ = bytes_of(slots() * options_.most_tokens, shape.own_width, shape.layers, network_.compute()) +
           (keeps_states_ ? bytes_of(prompts_.tokens(), sizes.width, 1, network_.compute())
                          : bytes_of(prompts_.tokens(), shape.memory_width, shape.layers, network_.compute()));
}

Generation::~Generation() = default;

// In one piece: unlike many smaller ones, the system gets that back when the texts are done.
void Generation::reserve() {
  const Decoder::CacheShape shape = network_.decoder()->cache_shape();
  const int64_t own = slots() * options_.most_tokens * shape.own_width;
  const int64_t memory = keeps_states_ ? 0 : prompts_.tokens() * shape.memory_width;
  const int64_t states = keeps_states_ ? prompts_.tokens() * network_.model().sizes().width : 0;
  const at::Tensor all =
      empty_in_huge_pages({shape.layers * (own + memory) + states}, network_.compute(), network_.device());
  int64_t begin = 0;
  const auto take = [&](int64_t size, int64_t width) {
    begin += size;
    return all.narrow(0, begin - size, size).view({-1, width});
  };
  for (int64_t i = 0; i < shape.layers; ++i) {
    const at::Tensor own_S2Y = take(own, shape.own_width);
    caches_.push_back({own_S2Y, keeps_states_ ? at::Tensor() : take(memory, shape.memory_width)});
  }
  if (keeps_states_) states_MD_ = take(states, network_.model().sizes().width);
}

// Reads a block of prompts. Queries do not wait for its end, so it is as large as is fast.
void Generation::read_prompts() {
  const ProfileScope scope("prompts");
  constexpr int64_t kBlockTokens = 512;
  int64_t end = read_ + 1;
  while (end < prompts_.rows() && prompts_.offsets[end + 1] - prompts_.offsets[read_] <= kBlockTokens) ++end;
  const Rows block = prompts_.slice(read_, end);
  const Input input(block, network_.device());
  workspace_.reset();
  const Pass pass{.input = input,
                  .parameters = network_.parameters(),
                  .workspace = workspace_,
                  .int8 = network_.int8(),
                  .keeps_packed = false};
  const std::unique_ptr<Model::Kept> kept = network_.model().make_kept();
  const at::Tensor states_TD = network_.model().forward(pass, *kept);
  const int64_t first = prompts_.offsets[read_];
  if (keeps_states_) {
    states_MD_.narrow(0, first, block.tokens()).copy_(states_TD);
  } else {
    network_.decoder()->remember(pass, states_TD, first, caches_);
  }
  read_ = end;
  if (read_ == prompts_.rows()) workspace_ = Workspace(network_.device());  // one token of each text needs less
}

at::Tensor Generation::scores(const std::vector<int32_t>& ids, const CachedRows& rows) {
  Rows batch;
  batch.ids = ids;
  for (size_t i = 0; i <= ids.size(); ++i) batch.offsets.push_back(static_cast<int32_t>(i));
  const Input input(batch, network_.device());
  workspace_.reset();
  const Parameters& parameters = network_.parameters();
  const Pass pass{.input = input,
                  .parameters = parameters,
                  .workspace = workspace_,
                  .int8 = network_.int8(),
                  .keeps_packed = false};
  at::Tensor x_RD = network_.decoder()->forward_cached(pass, rows, caches_);
  const auto [matrix, scale] = network_.decoder()->head();
  if (scale != 1) x_RD = x_RD * scale;
  const at::Tensor& value_VD = parameters.value(matrix);
  const auto count = static_cast<int64_t>(ids.size());
  const at::Tensor logits_RV = workspace_.take({count, value_VD.size(0)}, network_.compute());
  linear(x_RD, {value_VD, nullptr, workspace_}, {}, logits_RV);
  const at::Tensor scores_RV = logits_RV.to(at::kCPU, at::kFloat);
  check(std::isfinite(scores_RV.sum().item<float>()), "ERR_INVALID_MODEL",
        "Expected finite scores of the next token, found others: the weights are too large or not finite");
  return options_.beams > 1 ? at::_log_softmax(scores_RV, 1, false) : scores_RV;
}

void Generation::write_tokens(std::vector<Answer>& answers) {
  const ProfileScope scope("tokens");
  CachedRows rows;
  std::vector<int32_t> ids;
  std::vector<int64_t> new_places;
  for (const auto& search : searches_) {
    const int64_t prompt = search->prompt();
    const int32_t memory = prompts_.offsets[prompt];
    if (rows.memory_first.empty() || rows.memory_first.back() != memory) {
      rows.reader_first.push_back(static_cast<int32_t>(ids.size()));
      rows.readers.push_back(0);
      rows.memory_first.push_back(memory);
      rows.memory_length.push_back(static_cast<int32_t>(prompts_.length(prompt)));
    }
    for (const auto& [slot, token] : search->rows()) {
      ids.push_back(token);
      rows.first.push_back(slot * static_cast<int32_t>(options_.most_tokens));
      rows.length.push_back(written_ + 1);
      new_places.push_back(rows.first.back() + written_);
      ++rows.readers.back();
    }
  }
  rows.new_R = upload<int64_t>(new_places, network_.device());
  rows.states_MD = states_MD_;
  const at::Tensor scores_RV = scores(ids, rows);
  ++written_;
  const std::vector<Copies> copies = choose_tokens(scores_RV);
  Copies all;
  std::vector<std::unique_ptr<Search>> unfinished;
  for (size_t i = 0; i < searches_.size(); ++i) {
    if (searches_[i]->is_done()) {
      for (Answer& answer : searches_[i]->answers()) answers.push_back(std::move(answer));
      continue;
    }
    all.insert(all.end(), copies[i].begin(), copies[i].end());
    unfinished.push_back(std::move(searches_[i]));
  }
  searches_ = std::move(unfinished);
  if (all.empty()) return;
  const auto layers = static_cast<int64_t>(caches_.size());
  parallel_ranges(layers, network_.device().is_cpu() ? parallel_parts(layers, 1) : 1,
                  [&](int64_t, int64_t begin, int64_t end) {
                    const at::NoGradGuard no_grad;
                    for (int64_t layer = begin; layer < end; ++layer) {
                      const at::Tensor places = caches_[static_cast<size_t>(layer)].own_S2Y;
                      for (const auto& [from, to] : all) {
                        places.narrow(0, to * options_.most_tokens, written_)
                            .copy_(places.narrow(0, from * options_.most_tokens, written_));
                      }
                    }
                  });
}

// Each search reads its rows of the scores.
std::vector<Generation::Copies> Generation::choose_tokens(const at::Tensor& scores_RV) {
  const auto vocabulary = static_cast<size_t>(scores_RV.size(1));
  std::vector<std::span<float>> scores;
  float* next = scores_RV.mutable_data_ptr<float>();
  for (const auto& search : searches_) {
    scores.emplace_back(next, search->rows().size() * vocabulary);
    next += scores.back().size();
  }
  std::vector<Copies> out(searches_.size());
  const auto count = static_cast<int64_t>(searches_.size());
  parallel_ranges(count, parallel_parts(count, 1), [&](int64_t, int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) out[i] = searches_[i]->step(scores[i]);
  });
  return out;
}

std::vector<Generation::Answer> Generation::next(std::chrono::duration<double> budget) {
  const at::NoGradGuard no_grad;
  const auto begun = Clock::now();
  check(encoder_ != nullptr, "ERR_DISPOSED", "The generation was disposed of");
  encoder_->impl().open();
  std::vector<Answer> answers;
  if (is_done()) return answers;
  network_.parameters().settle();
  // An evaluation of a trainer in between may have changed the dtype that is computed in.
  for (LayerCache& cache : caches_) {
    cache.own_S2Y = cache.own_S2Y.to(network_.compute());
    if (cache.memory_M2Y.defined()) cache.memory_M2Y = cache.memory_M2Y.to(network_.compute());
  }
  if (states_MD_.defined()) states_MD_ = states_MD_.to(network_.compute());
  if (caches_.empty()) {
    reserve();
    searches_ = make_searches(options_, prompts_.rows());
  }
  if (read_ < prompts_.rows()) {
    read_prompts();
    return answers;
  }
  double longest = 0, spent = 0;
  do {
    write_tokens(answers);
    const double now = seconds_since(begun);
    longest = std::max(longest, now - spent);
    spent = now;
  } while (!searches_.empty() && spent + longest < budget.count());
  if (searches_.empty()) free_memory();
  return answers;
}

void Generation::free_memory() {
  caches_.clear();
  states_MD_.reset();
  workspace_ = Workspace(at::kCPU);
}

void Generation::dispose() {
  free_memory();
  searches_.clear();
  encoder_.reset();
}

bool Generation::is_done() const {
  return read_ == prompts_.rows() && searches_.empty();
}

}  // namespace st

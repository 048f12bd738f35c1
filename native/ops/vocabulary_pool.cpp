#include "ops/vocabulary_pool.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log1p.h>
#include <ATen/ops/max.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/profile.h"
#include "core/yield.h"
#include "ops/cpu/words.h"
#include "ops/product.h"

namespace st {

namespace {

using Offsets = std::vector<int32_t>;

int64_t rows_of(const Offsets& offsets) {
  return static_cast<int64_t>(offsets.size()) - 1;
}

// Rows [begin, end) of tokens.
at::Tensor tokens_of(const at::Tensor& x_TD, const Offsets& offsets, int64_t row) {
  return x_TD.narrow(0, offsets[row], offsets[row + 1] - offsets[row]);
}

void weigh_(at::Tensor& logits, bool twice) {
  logits.relu_().log1p_();
  if (twice) logits.log1p_();
}

// The slope of the weight y at its logit: where y is 0, the logit is not above 0.
at::Tensor slope(const at::Tensor& y, bool twice) {
  const at::Tensor exponent = twice ? y + y.expm1() : y;
  return exponent.neg().exp_().mul_(y > 0);
}

// The highest logit of each word without its bias, and its token.
struct Highest {
  at::Tensor logits_RV, winners_RV;  // winners: int32
};

// Of any device and type: the logits of one row stand at a time.
Highest highest_in_rows(const at::Tensor& x_TD, const at::Tensor& weight_VD, const Offsets& offsets) {
  const int64_t rows = rows_of(offsets), words = weight_VD.size(0);
  const Highest out{at::empty({rows, words}, x_TD.options()), at::empty({rows, words}, x_TD.options().dtype(at::kInt))};
  for (int64_t row = 0; row < rows; ++row) {
    const auto [logits_V, places_V] = at::mm(tokens_of(x_TD, offsets, row), weight_VD.t()).max(0);
    out.logits_RV.select(0, row).copy_(logits_V);
    out.winners_RV.select(0, row).copy_(places_V.add_(offsets[row]));
  }
  return out;
}

// Tokens whose logits other work waits for.
constexpr int64_t kTokensAtOnce = 2048;
// Words that a thread multiplies at once: their weights and the logits of a block of tokens stay in its second cache.
constexpr int64_t kWordsAtOnce = 1024;

// By kernels, in float32 on the CPU.
Highest highest_in_blocks(const at::Tensor& x_TD, const at::Tensor& packed, int64_t words, const Offsets& offsets) {
  struct Logits;  // in scratch memory
  const int64_t rows = rows_of(offsets), tokens = x_TD.size(0), depth = x_TD.size(1);
  const kernels::Products<float>& products = *product::kernels_for<float>(tokens, depth);
  const auto take = kernels::words().take_highest;
  const Highest out{at::full({rows, words}, -std::numeric_limits<float>::infinity(), x_TD.options()),
                    at::zeros({rows, words}, x_TD.options().dtype(at::kInt))};
  const float *x = data<float>(x_TD), *panels = data<float>(packed);
  float* best = data<float>(out.logits_RV);
  int32_t* winner = data<int32_t>(out.winners_RV);
  const int64_t step = std::max<int64_t>(1, kWordsAtOnce / products.panel) * products.panel;
  const int64_t pieces = (words + step - 1) / step, block = products.block_rows;
  for (int64_t from = 0; from < tokens; from += kTokensAtOnce) {
    const int64_t until = std::min(tokens, from + kTokensAtOnce);
    parallel_ranges(pieces, parallel_parts(pieces, 1), [&](int64_t, int64_t first, int64_t last) {
      for (int64_t piece = first; piece < last; ++piece) {
        const int64_t word = piece * step, count = std::min(step, words - word);
        const float* own = panels + word / products.panel * products.panel_size(depth);
        float* logits = thread_scratch<float, Logits>(block * step);
        int64_t row = std::upper_bound(offsets.begin(), offsets.end(), from) - offsets.begin() - 1;
        for (int64_t begin = from; begin < until; begin += block) {
          const int64_t end = std::min(until, begin + block);
          products.multiply(x + begin * depth, depth, end - begin, own, depth, count, logits, count);
          for (int64_t t = begin; t < end;) {
            const int64_t stop = std::min<int64_t>(end, offsets[row + 1]);
            const int64_t place = row * words + word;
            take(count, stop - t, logits + (t - begin) * count, count, static_cast<int32_t>(t), best + place,
                 winner + place);
            if (stop == offsets[row + 1]) ++row;
            t = stop;
          }
        }
      }
    });
    if (until < tokens) yield_here();
  }
  return out;
}

struct Gradients {
  at::Tensor x_TD, weight_VD, bias_V;  // undefined: not wanted
};

void winners_backward_in_rows(const VocabularyLayer& layer, const at::Tensor& winners_RV, const at::Tensor& d_RV,
                              const Gradients& d) {
  for (int64_t row = 0; row < d_RV.size(0); ++row) {
    const at::Tensor winners_V = winners_RV.select(0, row), d_V1 = d_RV.select(0, row).unsqueeze(1);
    if (d.weight_VD.defined()) d.weight_VD.add_(layer.x_TD.index_select(0, winners_V).mul_(d_V1));
    if (d.x_TD.defined()) at::Tensor(d.x_TD).index_add_(0, winners_V, layer.weight_VD * d_V1);
  }
}

void winners_backward_by_kernels(const VocabularyLayer& layer, const at::Tensor& winners_RV, const at::Tensor& d_RV,
                                 const Gradients& d) {
  const int64_t rows = d_RV.size(0), words = d_RV.size(1), width = layer.x_TD.size(1);
  const kernels::Words& kernels = kernels::words();
  const float *x = data<float>(layer.x_TD), *weight = data<float>(layer.weight_VD), *given = data<float>(d_RV);
  const int32_t* winners = data<int32_t>(winners_RV);
  const int64_t pieces = (words + kWordsAtOnce - 1) / kWordsAtOnce;
  const auto of_piece = [words](int64_t piece, const auto& work) {
    const int64_t word = piece * kWordsAtOnce;
    work(word, std::min(kWordsAtOnce, words - word));
  };
  // Of a word all rows in their order, and of a token all words, by one thread.
  if (float* to = data<float>(d.weight_VD)) {
    parallel_ranges(pieces, parallel_parts(pieces, 1), [&](int64_t, int64_t first, int64_t last) {
      for (int64_t piece = first; piece < last; ++piece) {
        of_piece(piece, [&](int64_t word, int64_t count) {
          for (int64_t row = 0; row < rows; ++row) {
            const int64_t place = row * words + word;
            kernels.add_winners(width, count, given + place, winners + place, x, to + word * width);
          }
        });
      }
    });
  }
  if (float* to = data<float>(d.x_TD)) {
    parallel_ranges(rows, parallel_parts(rows, 1), [&](int64_t, int64_t first, int64_t last) {
      for (int64_t piece = 0; piece < pieces; ++piece) {
        of_piece(piece, [&](int64_t word, int64_t count) {
          for (int64_t row = first; row < last; ++row) {
            const int64_t place = row * words + word;
            kernels.add_to_winners(width, count, given + place, winners + place, weight + word * width, to);
          }
        });
      }
    });
  }
}

bool has_kernels(const at::Tensor& x_TD) {
  return x_TD.scalar_type() == at::kFloat && product::available(x_TD);
}

at::Tensor highest_weights(const VocabularyLayer& layer, const Offsets& offsets, bool twice, const at::Tensor& packed,
                           at::Tensor& winners_RV) {
  const auto& [x_TD, weight_VD, bias_V] = layer;
  Highest found;
  if (!has_kernels(x_TD)) {
    found = highest_in_rows(x_TD, weight_VD, offsets);
  } else if (packed.defined()) {
    found = highest_in_blocks(x_TD, packed, weight_VD.size(0), offsets);
  } else {
    Workspace own(x_TD.device());
    found = highest_in_blocks(x_TD, product::pack(weight_VD, true, x_TD.size(0), own), weight_VD.size(0), offsets);
  }
  winners_RV = found.winners_RV;
  if (bias_V.defined()) found.logits_RV.add_(bias_V);
  weigh_(found.logits_RV, twice);
  return found.logits_RV;
}

// Logits of a block of rows of tokens: 64 MB in float32, and at least one row.
constexpr int64_t kBlockLogits = int64_t{1} << 24;

// Calls work(row, tokens of it) for blocks that have no more logits.
template <typename Work>
void for_blocks(const Offsets& offsets, int64_t words, const Work& work) {
  const int64_t most = std::max<int64_t>(1, kBlockLogits / words);
  for (int64_t row = 0; row < rows_of(offsets); ++row) {
    for (int64_t begin = offsets[row]; begin < offsets[row + 1]; begin += most) {
      work(row, begin, std::min<int64_t>(most, offsets[row + 1] - begin));
    }
  }
}

at::Tensor weights_BV(const VocabularyLayer& layer, int64_t begin, int64_t count, bool twice) {
  at::Tensor out_BV = at::linear(layer.x_TD.narrow(0, begin, count), layer.weight_VD, layer.bias_V);
  weigh_(out_BV, twice);
  return out_BV;
}

at::Tensor summed_weights(const VocabularyLayer& layer, const Offsets& offsets, bool twice) {
  const int64_t words = layer.weight_VD.size(0);
  const at::Tensor out_RV = at::zeros({rows_of(offsets), words}, layer.x_TD.options());
  for_blocks(offsets, words, [&](int64_t row, int64_t begin, int64_t count) {
    out_RV.select(0, row).add_(weights_BV(layer, begin, count, twice).sum(0));
  });
  return out_RV;
}

void summed_backward(const VocabularyLayer& layer, const Offsets& offsets, bool twice, const at::Tensor& d_y_RV,
                     const Gradients& d) {
  for_blocks(offsets, layer.weight_VD.size(0), [&](int64_t row, int64_t begin, int64_t count) {
    const at::Tensor d_BV = slope(weights_BV(layer, begin, count, twice), twice).mul_(d_y_RV.select(0, row));
    if (d.x_TD.defined()) {
      at::Tensor d_x_BD = d.x_TD.narrow(0, begin, count);
      at::mm_out(d_x_BD, d_BV, layer.weight_VD);
    }
    if (d.weight_VD.defined()) at::Tensor(d.weight_VD).addmm_(d_BV.t(), layer.x_TD.narrow(0, begin, count));
    if (d.bias_V.defined()) d.bias_V.add_(d_BV.sum(0));
  });
}

struct Pool : torch::autograd::Function<Pool> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x_TD,
                            const at::Tensor& weight_VD, const std::optional<at::Tensor>& bias_V,
                            const Offsets& offsets, bool sum, bool twice, const std::optional<at::Tensor>& packed) {
    const VocabularyLayer layer{x_TD, weight_VD, bias_V.value_or(at::Tensor())};
    at::Tensor winners_RV;
    const at::Tensor y_RV = sum ? summed_weights(layer, offsets, twice)
                                : highest_weights(layer, offsets, twice, packed.value_or(at::Tensor()), winners_RV);
    context->save_for_backward({x_TD, weight_VD, layer.bias_V, y_RV, winners_RV});
    context->saved_data["offsets"] = std::vector<int64_t>(offsets.begin(), offsets.end());
    context->saved_data["sum"] = sum;
    context->saved_data["twice"] = twice;
    return y_RV;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& d_y) {
    const ProfileScope scope("vocabulary pool, backward");
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const VocabularyLayer layer{saved[0], saved[1], saved[2]};
    const at::Tensor &y_RV = saved[3], &winners_RV = saved[4];
    const bool twice = context->saved_data["twice"].toBool();
    const auto wanted = [](const at::Tensor& of) {
      return of.defined() && of.requires_grad() ? at::zeros_like(of) : at::Tensor();
    };
    const Gradients d{wanted(layer.x_TD), wanted(layer.weight_VD), wanted(layer.bias_V)};
    if (context->saved_data["sum"].toBool()) {
      const std::vector<int64_t> long_offsets = context->saved_data["offsets"].toIntVector();
      summed_backward(layer, Offsets(long_offsets.begin(), long_offsets.end()), twice, d_y[0], d);
    } else {
      const at::Tensor d_RV = slope(y_RV, twice).mul_(d_y[0]);
      if (d.bias_V.defined()) d.bias_V.copy_(d_RV.sum(0));
      const bool fast = has_kernels(layer.x_TD) && layer.x_TD.is_contiguous() && layer.weight_VD.is_contiguous();
      (fast ? winners_backward_by_kernels : winners_backward_in_rows)(layer, winners_RV, d_RV, d);
    }
    return {d.x_TD, d.weight_VD, d.bias_V, {}, {}, {}, {}};
  }
};

std::optional<at::Tensor> if_defined(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

}  // namespace

at::Tensor vocabulary_pool(const VocabularyLayer& layer, const std::vector<int32_t>& offsets,
                           const VocabularyPool& pool, const at::Tensor& packed) {
  const ProfileScope scope("vocabulary pool");
  check(!offsets.empty() && offsets.front() == 0 && offsets.back() == layer.x_TD.size(0), "ERR_INVALID_ARGUMENT",
        "Expected offsets from 0 to ", layer.x_TD.size(0), " tokens");
  for (size_t row = 1; row < offsets.size(); ++row) {
    check(offsets[row] > offsets[row - 1], "ERR_INVALID_ARGUMENT", "Expected a token in row ", row - 1,
          ", whose words are to be pooled");
  }
  return Pool::apply(layer.x_TD.contiguous(), layer.weight_VD.contiguous(), if_defined(layer.bias_V), offsets, pool.sum,
                     pool.twice, if_defined(packed));
}

namespace reference {

at::Tensor vocabulary_pool(const VocabularyLayer& layer, const std::vector<int32_t>& offsets,
                           const VocabularyPool& pool) {
  at::Tensor weights_TV = at::log1p(at::relu(at::linear(layer.x_TD, layer.weight_VD, layer.bias_V)));
  if (pool.twice) weights_TV = at::log1p(weights_TV);
  std::vector<at::Tensor> rows;
  for (int64_t row = 0; row < rows_of(offsets); ++row) {
    const at::Tensor own_TV = tokens_of(weights_TV, offsets, row);
    rows.push_back(pool.sum ? own_TV.sum(0) : std::get<0>(own_TV.max(0)));
  }
  return at::stack(rows);
}

}  // namespace reference

}  // namespace st

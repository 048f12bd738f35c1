#pragma once

#include <memory>
#include <string>

#include "core/layout.h"
#include "layers/decoder_layer.h"
#include "layers/stack.h"
#include "models/seq2seq.h"
#include "models/t5_blocks.h"

namespace st {

// The decoder of T5 and mT5: `<prefix>decoder.…` and, where it is not the table of words, `<prefix>lm_head.weight`.
template <typename FeedForward>
class T5Decoder final : public Decoder {
 public:
  using Layer = DecoderLayer<FeedForward>;

  T5Decoder(Stack<Layer> stack, const Head& head) : stack_(std::move(stack)), head_(head) {}

  Head head() const override { return head_; }
  std::unique_ptr<Kept> make_kept() const override { return std::make_unique<StackKept>(); }
  at::Tensor forward(const Pass& pass, Kept& kept) const override {
    return stack_.forward(pass, static_cast<StackKept&>(kept).stack);
  }
  void backward(const Pass& pass, Kept& kept, Gradients& gradients, at::Tensor d_x_TD) const override {
    stack_.backward(pass, gradients, static_cast<StackKept&>(kept).stack, d_x_TD, {});
  }

  CacheShape cache_shape() const override {
    const Layer& layer = stack_.layers[0];
    const AttentionShape& shape = layer.attention.shape();
    return {.layers = static_cast<int64_t>(stack_.layers.size()),
            .own_width = 2 * shape.kv_heads * shape.head_dim,
            .memory_width = layer.cross.keys_values().width()};
  }
  bool reads_states() const override { return st::reads_states(stack_.layers[0].cross); }
  void remember(const Pass& pass, const at::Tensor& states_TD, int64_t first,
                const std::vector<LayerCache>& caches) const override {
    for (size_t i = 0; i < caches.size(); ++i) {
      st::remember(stack_.layers[i].cross, pass, states_TD, caches[i].memory_M2Y.narrow(0, first, pass.input.tokens()));
    }
  }
  at::Tensor forward_cached(const Pass& pass, const CachedRows& rows,
                            const std::vector<LayerCache>& caches) const override {
    const auto layer = [&](const Layer& of, size_t i, const Stream& x) {
      const Stream first = of.attention.take_stream(pass), second = of.cross.take_stream(pass);
      st::forward_cached(of.attention, pass, x, first, rows, caches[i]);
      st::forward_cached(of.cross, pass, first, second, rows, caches[i]);
      of.feed_forward.forward(pass, second, x);
    };
    return stack_.forward_each(pass, layer);
  }

 private:
  struct StackKept : Kept {
    typename Stack<Layer>::Kept stack;
  };

  Stack<Layer> stack_;
  Head head_;
};

std::unique_ptr<Decoder> make_t5_decoder(const Config& config, const SharedWords& words, const std::string& prefix,
                                         Layout& layout);
std::unique_ptr<Decoder> make_mt5_decoder(const Config& config, const SharedWords& words, const std::string& prefix,
                                          Layout& layout);

}  // namespace st

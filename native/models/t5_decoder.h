#pragma once

#include <memory>
#include <string>

#include "core/layout.h"
#include "layers/decoder_layer.h"
#include "layers/stack.h"
#include "models/seq2seq.h"
#include "models/t5_blocks.h"

namespace st {

// The decoder of T5 and mT5: `<prefix>decoder.…` and, where it is not the table of words, `<prefix>lm_head.weight`. Its
// parts are public for generation, which keeps keys and values between passes.
template <typename FeedForward>
class T5Decoder final : public Decoder {
 public:
  using Layer = DecoderLayer<FeedForward>;

  T5Decoder(Stack<Layer> stack, const Head& head) : stack_(std::move(stack)), head_(head) {}

  const Stack<Layer>& stack() const { return stack_; }
  Head head() const override { return head_; }
  std::unique_ptr<Kept> make_kept() const override { return std::make_unique<StackKept>(); }
  at::Tensor forward(const Pass& pass, Kept& kept) const override {
    return stack_.forward(pass, static_cast<StackKept&>(kept).stack);
  }
  void backward(const Pass& pass, Kept& kept, Gradients& gradients, at::Tensor d_x_TD) const override {
    stack_.backward(pass, gradients, static_cast<StackKept&>(kept).stack, d_x_TD, {});
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

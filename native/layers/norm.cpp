#include "layers/norm.h"

namespace st {

Norm::Norm(Layout& layout, const std::string& name, int64_t width, double epsilon)
    : gamma_(layout.add(name + ".weight", {width}, Group::kNoDecay)),
      beta_(layout.add(name + ".bias", {width}, Group::kNoDecay)),
      epsilon_(epsilon) {}

}  // namespace st

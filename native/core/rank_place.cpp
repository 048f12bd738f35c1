#include "core/rank_place.h"

#include <unistd.h>

#include <array>
#include <fstream>
#include <map>
#include <sstream>

#include "core/error.h"
#include "core/features.h"
#if ST_WITH_CUDA
#include <ATen/cuda/CUDAContextLight.h>
#endif

namespace st {

namespace {

struct Place {
  std::string device, host, boot, card;
};

// One part to a line.
Place parse(const std::string& text) {
  Place out;
  std::istringstream lines(text);
  for (std::string* part : {&out.device, &out.host, &out.boot, &out.card}) std::getline(lines, *part);
  return out;
}

// NCCL tells machines from one another by the same two. Names alone are not enough: every machine may be a localhost.
std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "?";
  return name.data();
}

std::string boot_number() {
  std::string out;
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::getline(file, out);
  return out;
}

// Its place on the bus: what several processes call cuda:0 may be different cards (CUDA_VISIBLE_DEVICES).
std::string card_of(at::Device device) {
#if ST_WITH_CUDA
  if (device.is_cuda()) {
    const cudaDeviceProp* card = at::cuda::getDeviceProperties(device.index());
    std::ostringstream out;
    out << std::hex << card->pciDomainID << ':' << card->pciBusID << ':' << card->pciDeviceID;
    return out.str();
  }
#endif
  (void)device;
  return {};
}

}  // namespace

std::string place_of(at::Device device, const std::string& host, const std::string& boot, const std::string& card) {
  return device.str() + "\n" + host + "\n" + boot + "\n" + card;
}

std::string place_of(at::Device device) {
  return place_of(device, host_name(), boot_number(), card_of(device));
}

void check_places(const std::vector<std::string>& places) {
  const Place first = parse(places.at(0));
  std::map<std::string, size_t> rank_of;  // by card
  for (size_t rank = 0; rank < places.size(); ++rank) {
    const Place place = parse(places[rank]);
    check((place.device == "cpu") == (first.device == "cpu"), "ERR_DISTRIBUTED", "Rank ", rank, " trains on ",
          place.device, " and rank 0 on ", first.device, ": all ranks train on CPUs, or all on GPUs");
    if (place.device == "cpu") continue;
    const auto [found, is_new] = rank_of.emplace(place.host + "\n" + place.boot + "\n" + place.card, rank);
    check(is_new, "ERR_DISTRIBUTED", "Ranks ", found->second, " and ", rank, " both train on the card ", place.card,
          " of ", place.host, " (", place.device,
          " of the second one), but NCCL needs one for each rank: with device: 'cuda' the variable LOCAL_RANK chooses "
          "it, device: 'cuda:1' names it, and as many ranks as cards are started on a machine");
  }
}

}  // namespace st

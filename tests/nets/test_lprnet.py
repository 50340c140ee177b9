import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from kplate.nets.lprnet import LprNet, LprNetConfig, straighten  # noqa: E402


def test_straighten_is_the_projective_map_of_the_corners() -> None:
    rng = np.random.default_rng(1)
    noise = cv2.GaussianBlur(rng.integers(0, 256, (64, 192, 3), dtype=np.uint8), (0, 0), 3)
    corners = np.array([(20, 12), (170, 5), (160, 50), (28, 58)], np.float32)
    size = (96, 40)
    target = np.array([(0, 0), (size[0], 0), (size[0], size[1]), (0, size[1])], np.float32)
    half = np.float32(0.5)  # OpenCV counts from pixel centres
    matrix = cv2.getPerspectiveTransform(corners - half, target - half)
    expected = cv2.warpPerspective(noise, matrix, size, flags=cv2.INTER_LINEAR).astype(np.float32)
    image = torch.from_numpy(noise.astype(np.float32).transpose(2, 0, 1))[None]
    shares = torch.from_numpy((corners / (192, 64)).astype(np.float32).reshape(1, 8))
    found = straighten(image, shares, size)[0].numpy().transpose(1, 2, 0)
    assert np.abs(found - expected).max() < 2.5  # warpPerspective rounds positions to 1/32 px


def test_outputs_have_the_published_18_steps_and_attention_sums_to_one() -> None:
    network = LprNet(LprNetConfig(width=32)).eval()
    with torch.inference_mode():
        output = network(torch.rand(3, 3, 64, 192))
    assert output.logits.shape == (3, 18, 81)
    assert output.kind.shape == (3, 23)
    assert output.corners.shape == (3, 8)
    assert torch.allclose(output.attention.sum((2, 3)), torch.ones(3, 18), atol=1e-5)


def test_the_guide_replaces_corners_only_where_it_is_given() -> None:
    torch.manual_seed(0)
    network = LprNet(LprNetConfig(width=32)).eval()
    image = torch.rand(2, 3, 64, 192)
    guide = torch.tensor([[float("nan")] * 8, [0.3, 0.3, 0.7, 0.3, 0.7, 0.7, 0.3, 0.7]])
    with torch.inference_mode():
        free, guided = network(image), network(image, guide)
    assert torch.allclose(free.logits[0], guided.logits[0], atol=1e-7)
    assert not torch.allclose(free.logits[1], guided.logits[1], atol=1e-6)


def test_the_localisation_network_learns_from_corners_and_not_from_text() -> None:
    network = LprNet(LprNetConfig(width=32))
    output = network(torch.rand(4, 3, 64, 192))
    output.logits.square().sum().backward(retain_graph=True)
    assert network.localisation.corners.bias.grad is None
    output.corners.square().sum().backward()
    gradient = network.localisation.corners.bias.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0

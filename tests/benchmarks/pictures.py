"""Training images as loops of tutorials read them: PIL pictures, transformed one by one."""

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import transforms

from ban_ray.tasks.image_data import ImageData


class Pictures(Dataset[tuple[Tensor, int]]):
    """PIL images with the usual transforms."""

    def __init__(self, data: ImageData, count: int) -> None:
        self.images = [Image.fromarray(image) for image in data.train.images[:count].numpy()]
        self.labels = data.train.labels[:count].tolist()
        mean, deviation = (-data.shift / data.scale / 255).flatten(), (1 / data.scale / 255).flatten()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean.tolist(), deviation.tolist()),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]
